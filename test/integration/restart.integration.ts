import {type ChildProcess, spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {chmod, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as pause} from 'node:timers/promises'
import {pathToFileURL} from 'node:url'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {bin, ended, type Journey, node, startJourney} from '../_helpers/journey.js'

// As under a Node that is too old: bin/mlv.js starts a second mlv.
describe('mlv under the Node that a checkout brings', () => {
  let journey: Journey

  beforeEach(async () => {
    journey = await startJourney()
  })

  afterEach(async () => {
    await journey.end()
  })

  /** A setup that waits for a Python which does not answer. */
  async function startSlowSetup(): Promise<ChildProcess> {
    const python = join(journey.folder, 'slow-python')
    await writeFile(python, '#!/bin/sh\ntouch asked\nexec sleep 600\n')
    await chmod(python, 0o755)
    const argv = ['setup', '--only', '01', '--setting', `python.path=${python}`]
    const code = `(await import(${JSON.stringify(new URL('restart.js', pathToFileURL(bin)).href)})).restart(${JSON.stringify(argv)})`
    const child = spawn(node, ['--input-type=module', '-e', code], {
      cwd: journey.folder,
      env: journey.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    await until(() => existsSync(join(journey.folder, 'asked')))
    return child
  }

  it('hears a SIGINT that is sent to the process which was started', async () => {
    const child = await startSlowSetup()
    child.kill('SIGINT')
    const {code, stderr} = await ended(child)
    expect(code, stderr).toBe(130)
  })

  it('ends when the process which was started is killed, and gives the lock back', async () => {
    const child = await startSlowSetup()
    child.kill('SIGKILL')
    await until(async () => {
      const [file = ''] = (await readdir(join(journey.stateDir, 'lock'))).sort().reverse()
      return JSON.parse(await readFile(join(journey.stateDir, 'lock', file), 'utf8')).released
    })
  })
})

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error('It did not come to that.')
    await pause(50)
  }
}
