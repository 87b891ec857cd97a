import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {heldPid, isRunning, platformFolder, platformsFolder, run, start, until} from '../_helpers/small-platform.js'

const journal = (folder: string) => readFileSync(join(folder, '.mlv/test/journal.jsonl'), 'utf8')
const events = (folder: string) =>
  journal(folder)
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as {event: string; phase?: string; step?: string})

/** Every file below a folder with its time and size. */
function snapshot(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, {recursive: true})
      .map(String)
      .filter(name => name !== 'result.json')
      .map(name => [name, statSync(join(folder, name), {bigint: true})] as const)
      .map(([name, {mtimeNs, size}]) => [name, `${mtimeNs} ${size}`]),
  )
}

describe('the phase engine', () => {
  let parent: string

  beforeAll(async () => {
    parent = await platformsFolder()
  })
  afterAll(() => rm(parent, {force: true, recursive: true}))

  it('writes each step to the journal before it begins and after it ended', async () => {
    const folder = await platformFolder(parent)
    const running = start(folder, {HOLD: '01-prepare/middle'})
    await until('the step', () => heldPid(folder, '01-prepare.middle') !== undefined)
    expect(events(folder).at(-1)).toMatchObject({event: 'step-started', phase: '01-prepare', step: 'middle'})
    expect(events(folder)).toContainEqual(expect.objectContaining({event: 'step-ended', step: 'first'}))
    running.child.kill('SIGTERM')
    expect(await running.ended).toMatchObject({code: 143})
    expect(events(folder).at(-1)).toMatchObject({event: 'run-ended', outcome: 'interrupted'})
  })

  it('runs independent phases at the same time', async () => {
    const folder = await platformFolder(parent)
    await run(folder)
    const order = events(folder).filter(({event}) => event === 'phase-started' || event === 'phase-ended')
    const at = (event: string, phase: string) =>
      order.findIndex(entry => entry.event === event && entry.phase === phase)
    expect(at('phase-started', '07-ray')).toBeLessThan(at('phase-ended', '03-mlflow'))
    expect(at('phase-started', '03-mlflow')).toBeLessThan(at('phase-ended', '07-ray'))
    expect(at('phase-started', '03-mlflow')).toBeGreaterThan(at('phase-ended', '02-cluster'))
  })

  it('changes nothing at all when there is nothing to do', async () => {
    const folder = await platformFolder(parent)
    await run(folder)
    const before = snapshot(folder)
    expect(await run(folder)).toMatchObject({code: 0, stderr: ''})
    expect(snapshot(folder)).toEqual(before)
  })

  it('lets only one setup in, and names it to the other', async () => {
    const folder = await platformFolder(parent)
    const first = start(folder, {HOLD: '02-cluster/first'})
    await until('the first', () => heldPid(folder, '02-cluster.first') !== undefined)
    const second = await run(folder)
    expect(second).toMatchObject({code: 13, stderr: expect.stringContaining(`pid ${first.child.pid} of tester`)})
    expect(second.stderr).toContain('Code: MLV_LOCKED')
    first.child.kill('SIGINT')
    await first.ended
  })

  it('says once that a corrupt journal is kept aside, and finishes', async () => {
    const folder = await platformFolder(parent)
    mkdirSync(join(folder, '.mlv/test'), {recursive: true})
    writeFileSync(join(folder, '.mlv/test/journal.jsonl'), '{"event":"run-started"}\nrubbish\n')
    const first = await run(folder)
    expect(first).toMatchObject({code: 0, stderr: expect.stringContaining('The journal was damaged. It is kept as')})
    expect(readdirSync(join(folder, '.mlv/test')).filter(name => name.includes('.corrupt-'))).toHaveLength(1)
    expect((await run(folder)).stderr).toBe('')
  })

  it('does a single phase, and says what it needs', async () => {
    const folder = await platformFolder(parent)
    const missing = await run(folder, {ONLY: '03'})
    expect(missing).toMatchObject({code: 1, stderr: expect.stringContaining('MLV_PHASE_NEEDS')})
    expect(existsSync(join(folder, 'platform/03-mlflow.first'))).toBe(false)
    expect(await run(folder, {ONLY: '08'})).toMatchObject({code: 2, stderr: expect.stringContaining('MLV_USAGE_PHASE')})
    expect(await run(folder, {ONLY: 'prepare'})).toMatchObject({code: 0})
    expect(readdirSync(join(folder, 'platform')).every(name => name.startsWith('01-'))).toBe(true)
  })

  it('keeps its folder to its owner and out of git', async () => {
    const folder = await platformFolder(parent)
    await run(folder)
    expect(statSync(join(folder, '.mlv/test')).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(folder, '.mlv/.gitignore'), 'utf8')).toBe('*\n')
  })

  it('takes down in reverse, again and again, and lists what it keeps', async () => {
    const folder = await platformFolder(parent)
    await run(folder)
    expect(await run(folder, {}, 'teardown')).toMatchObject({code: 0})
    const steps = events(folder).filter(({event}) => event === 'step-started')
    const removal = steps.slice(12).map(({phase}) => phase)
    expect(removal.slice(0, 6).every(phase => phase === '03-mlflow' || phase === '07-ray')).toBe(true)
    expect(removal.slice(6)).toEqual([...Array(3).fill('02-cluster'), ...Array(3).fill('01-prepare')])
    expect(readdirSync(join(folder, 'platform'))).toEqual([])
    const {kept} = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))
    expect(kept).toContainEqual(expect.objectContaining({what: 'Notes of 03-mlflow', bytes: 10, monthly_price: 0}))
    expect(await run(folder, {}, 'teardown')).toMatchObject({code: 0})
    expect(await run(folder)).toMatchObject({code: 0})
  })

  it('calls a process of ours that outlives a teardown a leftover, with exit code 12', async () => {
    const folder = await platformFolder(parent)
    await run(folder)
    const {spawn} = await import('node:child_process')
    const left = spawn('sleep', ['60'], {env: {PATH: process.env.PATH, MLV_STATE_DIR: join(folder, '.mlv/test')}})
    const down = await run(folder, {}, 'teardown')
    expect(down).toMatchObject({code: 12, stderr: expect.stringContaining(`pid ${left.pid}: sleep 60`)})
    left.kill('SIGKILL')
    await until('its end', () => !isRunning(left.pid as number))
    expect(await run(folder, {}, 'teardown')).toMatchObject({code: 0})
  })
})
