import {chmod, mkdir, stat, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {MlvError} from '../../../src/lib/errors.js'
import {rayFullShare} from '../../../src/lib/tools/disk-space.js'
import {listenerOf} from '../../../src/lib/tools/listeners.js'
import {findPythons} from '../../../src/lib/tools/python.js'
import {symbolsFor} from '../../../src/lib/ui/symbols.js'
import {formatDoctor} from '../../../src/lib/verify/doctor/format.js'
import {judgeDisks} from '../../../src/lib/verify/doctor/machine.js'
import {platformChecks} from '../../../src/lib/verify/doctor/platform.js'
import {examine} from '../../../src/lib/verify/doctor/run.js'
import {toolChecks} from '../../../src/lib/verify/doctor/tools.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const check = (id: string) => [...toolChecks, ...platformChecks].find(one => one.id === id)!

async function program(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text, {mode: 0o755})
  return path
}

describe('mlv doctor', () => {
  it('tells a Python that does not start, one that is too old and one that lacks a module from a good one', async () => {
    const folder = await temporaryFolder()
    const answer = (version: string, lacks: string) =>
      `#!/bin/sh\necho '{"version": "${version}", "kind": "CPython", "lacks": [${lacks}], "bits": 64, "home": "/${version}"}'\n`
    const shell = 'bash: warning: setlocale: LC_ALL: cannot change locale (tr_TR.UTF-8)'
    await program(folder, 'python3.13', `#!/bin/sh\necho "${shell}" >&2\necho "shim: not installed" >&2\nexit 127\n`)
    await program(folder, 'python3.12', answer('3.12.1', '"sqlite3"'))
    await program(folder, 'python3.11', answer('3.11.9', ''))
    await program(folder, 'python3', answer('3.9.2', ''))
    const {context} = projectContext(folder, {PATH: `${folder}:/bin`})
    const own = (await findPythons(context)).filter(({path}) => path.startsWith(folder))
    expect(own.map(({path, problem}) => [path.slice(folder.length + 1), problem])).toEqual([
      ['python3.13', 'does not start (shim: not installed)'],
      ['python3.12', 'was built without sqlite3'],
      ['python3.11', undefined],
      ['python3', 'is 3.9.2; 3.10 to 3.13 are supported'],
    ])
  })

  it('says what to install where there is no usable Python', async () => {
    const folder = await temporaryFolder()
    const {context} = projectContext(folder, {PATH: folder})
    const finding = await check('python').look({context, problem: undefined})
    expect(finding.state).toBe('bad')
    expect(finding.fix?.[0]).toMatch(/install python3/)
  })

  it('names credentials that others may read, with the line that mends it', async () => {
    const {context} = projectContext(await temporaryFolder())
    await mkdir(join(context.stateDir, 'credentials'), {recursive: true, mode: 0o700})
    const file = join(context.stateDir, 'credentials', 'admin')
    await writeFile(file, 'x', {mode: 0o600})
    await chmod(context.stateDir, 0o700)
    const look = () => check('state-folder').look({context, problem: undefined})
    expect((await look()).state).toBe('good')
    await chmod(file, 0o644)
    expect(await look()).toMatchObject({state: 'bad', found: expect.stringContaining('credentials/admin')})
    expect((await look()).fix?.[0]).toContain(`chmod -R go-rwx ${context.stateDir}`)
    const mended = (await examine({context, problem: undefined}, {isFixing: true})).checks
    expect(mended.find(({id}) => id === 'state-folder')).toMatchObject({
      state: 'good',
      mended: 'others may no longer read 1 of its files and folders',
    })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('shows what is wrong with mlv.yaml instead of ending there', async () => {
    const {context} = projectContext(await temporaryFolder())
    const problem = new MlvError('MLV_USAGE', 'mlv.yaml, line 3: Unknown key "pyton".', {tryThis: ['mend it']})
    const finding = await check('settings').look({context, problem})
    expect(finding).toEqual({state: 'bad', found: problem.message, fix: ['mend it']})
  })

  it('judges a disk by its free bytes, however large it is', () => {
    const GIB = 1024 ** 3
    const disk = (free: number, least = GIB / 2) =>
      judgeDisks([{uses: ['project'], path: '/', free: free * GIB, size: 252 * GIB, least}])
    expect(disk(6.5)).toEqual({state: 'good', found: '6.5 GiB free of 252 GiB (project)'})
    expect(disk(2)).toMatchObject({state: 'warning', path: '/'})
    expect(disk(0.4)).toMatchObject({state: 'bad', found: expect.stringMatching(/; a run needs 0\.5 GiB$/)})
    expect(disk(2, 3 * GIB)).toMatchObject({
      state: 'bad',
      found: expect.stringContaining('the Python environment needs'),
    })
  })

  it('lets Ray fill a disk up to a few hundred MiB, a small one as Ray would', () => {
    const GIB = 1024 ** 3
    expect((1 - rayFullShare({size: 252 * GIB})) * 252).toBeCloseTo(0.25)
    expect(rayFullShare({size: GIB})).toBe(0.95)
  })

  it('names the process that holds a port', async () => {
    const {context} = projectContext(await temporaryFolder())
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const {port} = server.address() as {port: number}
    expect(await listenerOf(context, port)).toMatchObject({pid: process.pid})
    await new Promise(resolve => server.close(resolve))
    expect(await listenerOf(context, port)).toBeUndefined()
  })

  it('puts under each finding what mends it, and counts', () => {
    const shared = {mended: null, group: 'Tools', id: 'x'}
    const result = {
      profile: 'local',
      good: 1,
      warnings: 0,
      bad: 1,
      checks: [
        {...shared, title: 'git', state: 'good', found: '2.39', fix: []},
        {...shared, title: 'Python', state: 'bad', found: 'none', fix: ['brew install python3']},
      ],
    } as const
    const text = formatDoctor(result, symbolsFor({LANG: 'C.UTF-8'}))
    expect(text).toContain('✔ git     2.39')
    expect(text).toMatch(/✖ Python {2}none\n +→ brew install python3/)
    expect(formatDoctor(result, symbolsFor({LANG: 'C'}))).toMatch(/^[\x20-\x7e\n]+$/)
    expect(text).toContain('To mend before mlv works here: 1; 1 good')
  })
})
