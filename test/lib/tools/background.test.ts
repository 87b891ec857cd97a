import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {pathToFileURL} from 'node:url'
import {describe, expect, it} from 'vitest'

import {startBackground} from '../../../src/lib/tools/background.js'
import {root} from '../../_helpers/source-tree.js'

const environment = {PATH: process.env.PATH}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!isSo() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 50))
}

describe('a program that runs beside mlv', () => {
  it('gives the first line that is waited for, and nothing where it ends before', async () => {
    const good = startBackground(['sh', '-c', 'echo one; echo port 4711; exec sleep 60'], environment)
    expect((await good.line(/^port (\d+)/))?.[1]).toBe('4711')
    good.stop()
    await good.ended
    const bad = startBackground(['sh', '-c', 'echo no way >&2; exit 3'], environment)
    expect(await bad.line(/^port/)).toBeUndefined()
    expect(await bad.ended).toEqual({exitCode: 3, stderr: 'no way\n'})
  })

  it('that is not there ends with 127', async () => {
    expect((await startBackground(['no-such-program'], environment).ended).exitCode).toBe(127)
  })

  it('does not outlive an mlv that is killed', async () => {
    const module = pathToFileURL(join(root, 'dist/lib/tools/background.js')).href
    const script = `
      const {startBackground} = await import(${JSON.stringify(module)})
      const match = await startBackground(['sh', '-c', 'echo $$; exec sleep 60'], {PATH: process.env.PATH}).line(/^(\\d+)$/)
      console.log(match[1])
      setInterval(() => undefined, 1000)`
    const mlv = spawn(process.execPath, ['--input-type=module', '-e', script], {stdio: ['ignore', 'pipe', 'inherit']})
    const [line] = await once(createInterface({input: mlv.stdout}), 'line')
    const pid = Number(line)
    expect(isAlive(pid)).toBe(true)
    mlv.kill('SIGKILL')
    await until(() => !isAlive(pid))
    expect(isAlive(pid)).toBe(false)
  })
})
