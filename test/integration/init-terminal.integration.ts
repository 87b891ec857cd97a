import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import * as pty from '@lydell/node-pty'
import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'

import {temporaryFolder} from '../_helpers/temporary-folder.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Types answers into the built mlv at a terminal of 80 columns, each once its question is there. */
async function converse(cwd: string, steps: readonly (readonly [question: RegExp, answer: string])[]) {
  const env = {PATH: process.env.PATH ?? '', HOME: cwd, TERM: 'xterm-256color', MLV_CONFIG_DIR: cwd}
  const terminal = pty.spawn(process.execPath, [join(root, 'bin/mlv.js'), 'init'], {cols: 80, cwd, env, rows: 30})
  let text = ''
  let check: () => unknown = () => undefined
  terminal.onData(data => {
    text += data
    check()
  })
  const end = new Promise<number>(resolve => terminal.onExit(({exitCode}) => resolve(exitCode)))
  for (const [question, answer] of steps) {
    await new Promise<void>(resolve => {
      check = () => {
        if (question.test(text)) resolve()
      }
      check()
    })
    text = ''
    terminal.write(answer)
  }
  return {exitCode: await end, text}
}

describe('mlv init at a terminal', () => {
  it('asks, refuses what is no name, and writes what was answered', async () => {
    const cwd = await temporaryFolder()
    const {exitCode, text} = await converse(cwd, [
      [/Name of the profile/, 'bad/name\r'],
      [/is no name/, '\u0015team\r'],
      [/PyTorch/, '\u001B[B\r'],
      [/PostgreSQL/, '\r'],
    ])
    expect(exitCode).toBe(0)
    expect(text).toContain('Wrote mlv.yaml with the profile team.')
    expect(parse(await readFile(join(cwd, 'mlv.yaml'), 'utf8'))).toEqual({
      default: 'team',
      profiles: {team: {target: 'local', python: {torch: 'cpu'}}},
    })
  })

  it('changes nothing when it is interrupted', async () => {
    const cwd = await temporaryFolder()
    const {exitCode, text} = await converse(cwd, [[/Name of the profile/, '\u0003']])
    expect(exitCode).toBe(130)
    expect(text).not.toMatch(/\bat .*\.js:\d+/)
    await expect(readFile(join(cwd, 'mlv.yaml'))).rejects.toThrow('ENOENT')
  })
})
