import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Config} from '@oclif/core/config'
import {describe, expect, it} from 'vitest'

import {complete, wantedAt} from '../../../src/lib/cli/completion.js'
import {projectContext} from '../../_helpers/project-context.js'
import {root} from '../../_helpers/source-tree.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

describe('what a shell offers at Tab', async () => {
  const config = new Config({root})
  await config.load()
  const offered = async (...words: string[]) => {
    const {context} = projectContext(await temporaryFolder())
    return complete(words, config.commands, async () => context, context.cwd)
  }

  it.each([
    [
      ['jobs', ''],
      ['list', 'logs', 'rerun', 'show', 'stop', 'wait', 'why'],
    ],
    [['te'], ['teardown', 'templates']],
    [['tune', 'r'], ['resume']],
    [
      ['logs', ''],
      ['mlflow', 'ray'],
    ],
    [['setup', '--o'], ['--only']],
    [['setup', '--only', '03'], ['03-mlflow']],
    [['-p'], []],
    [['status', '-p', 'l'], ['local']],
    [['train', 'digits-'], ['digits-sweep']],
    [['templates', 'show', 'fash'], ['fashion-mnist']],
    [
      ['train', 'digits', '--set', 'optimizer.l'],
      ['optimizer.label_smoothing=', 'optimizer.lr='],
    ],
    [['explain', 'MLV_DISK'], ['MLV_DISK_FULL']],
    [['train', '--', 'python', ''], []],
    [['no', 'such', 'thing', ''], []],
  ])('after %j is %j', async (words, found) => {
    expect(await offered(...words)).toEqual(found)
  })

  it('are flags that are not there yet, the values of none, and jobs by name', async () => {
    expect(await offered('train', '--detach', '--')).not.toContain('--detach')
    expect(await offered('train', '--set', 'epochs=3', '--s')).toContain('--set')
    expect(wantedAt(['train', '--name'], '', config.commands)).toEqual({words: []})
    expect(wantedAt(['jobs', 'logs', '-f'], '', config.commands)).toEqual({kind: 'job'})
    // Nothing runs here: that is no reason to complain into the line that somebody types.
    expect(await offered('jobs', 'logs', '')).toEqual([])
  })

  it("are the profiles of the project's mlv.yaml", async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'mlv.yaml'), 'profiles:\n  laptop: {target: local}\n  team: {target: local}\n')
    const {context} = projectContext(folder)
    expect(await complete(['status', '-p', ''], config.commands, async () => context, folder)).toEqual([
      'laptop',
      'team',
    ])
  })
})
