import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import type {Context} from '../../../../src/lib/context.js'
import {acquireLock, ensureUnlocked} from '../../../../src/lib/targets/local/lock.js'
import {createExec} from '../../../../src/lib/tools/exec.js'
import {startOfProcess} from '../../../../src/lib/tools/process-table.js'
import {temporaryFolder} from '../../../_helpers/temporary-folder.js'

const {signal} = new AbortController()
const exec = createExec({dryRun: false, environment: {PATH: process.env.PATH}, print: () => undefined, signal})

async function contextWithState(): Promise<Context> {
  const stateDir = await temporaryFolder()
  return {stateDir, exec, user: 'minji', signal, command: (line: string) => `npx mlv ${line}`} as Context
}

function leave({stateDir}: Context, holder: Record<string, unknown>): void {
  const whole = {host: hostname(), user: 'jo', since: '2026-11-23T10:00:00.000Z', command: 'mlv setup', released: false}
  mkdirSync(join(stateDir, 'lock'), {recursive: true})
  writeFileSync(join(stateDir, 'lock', '000004.json'), JSON.stringify({...whole, ...holder}))
}

describe('the lock', () => {
  it('names its holder to whoever comes second, with exit code 13', async () => {
    const context = await contextWithState()
    const lock = await acquireLock(context, 'mlv setup')
    const refusal = {code: 'MLV_LOCKED', exitCode: 13, message: expect.stringContaining(`pid ${process.pid} of minji`)}
    await expect(acquireLock(context, 'mlv teardown')).rejects.toMatchObject(refusal)
    await expect(ensureUnlocked(context)).rejects.toMatchObject(refusal)
    await lock.release()
    await ensureUnlocked(context)
    await (await acquireLock(context, 'mlv teardown')).release()
  })

  it('is taken over from a process that died, and says from whom', async () => {
    const context = await contextWithState()
    const child = spawn(process.execPath, ['-e', ''])
    const pid = child.pid as number
    const started = (await startOfProcess(exec, pid)) ?? 'long ago'
    await once(child, 'exit')
    leave(context, {pid, started})
    const lock = await acquireLock(context, 'mlv setup')
    expect(lock.takenOverFrom).toMatchObject({pid, user: 'jo'})
    await lock.release()
  })

  it('is taken over when the number of its holder belongs to another process now', async () => {
    const context = await contextWithState()
    leave(context, {pid: process.pid, started: 'another start'})
    const lock = await acquireLock(context, 'mlv setup')
    expect(lock.takenOverFrom).toMatchObject({started: 'another start'})
    await lock.release()
  })

  it('is respected when its holder is on another machine, and says what to remove', async () => {
    const context = await contextWithState()
    leave(context, {pid: 1, started: 'x', host: 'elsewhere'})
    await expect(acquireLock(context, 'mlv setup')).rejects.toMatchObject({
      code: 'MLV_LOCKED',
      tryThis: [expect.stringContaining('000004.json')],
    })
  })

  it('is free when its file is damaged', async () => {
    const context = await contextWithState()
    mkdirSync(join(context.stateDir, 'lock'))
    writeFileSync(join(context.stateDir, 'lock', '000009.json'), '{"pid":')
    const lock = await acquireLock(context, 'mlv setup')
    expect(lock.takenOverFrom).toBeUndefined()
    expect(readdirSync(join(context.stateDir, 'lock'))).toEqual(['000010.json'])
    await lock.release()
  })

  it('goes to exactly one of many that find the same dead holder', async () => {
    const context = await contextWithState()
    leave(context, {pid: process.pid, started: 'another start'})
    const tries = await Promise.allSettled(Array.from({length: 20}, () => acquireLock(context, 'mlv setup')))
    expect(tries.filter(({status}) => status === 'fulfilled')).toHaveLength(1)
    const [name = ''] = readdirSync(join(context.stateDir, 'lock')).filter(file => file.endsWith('.json'))
    expect(JSON.parse(readFileSync(join(context.stateDir, 'lock', name), 'utf8'))).toMatchObject({released: false})
  })
})
