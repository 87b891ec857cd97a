import {readdir, readFile} from 'node:fs/promises'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {type Journey, startJourney} from '../_helpers/journey.js'

let journey: Journey

beforeAll(async () => {
  journey = await startJourney()
  const setup = await journey.mlv('setup', '--yes')
  expect({code: setup.code, stderr: setup.stderr}).toMatchObject({code: 0})
})

afterAll(async () => {
  await journey?.mlv('teardown', '--delete-data', '--confirm', 'local')
  await journey?.end()
})

const EPOCHS = ['--epochs', '60']
const HALF = ['--cpus-per-worker', '0.5']

/** Waits until the job has printed this, so that it is certainly at work. */
async function said(job: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const {stdout} = await journey.mlv('jobs', 'logs', job)
    if (pattern.test(stdout)) return stdout
    const {state} = JSON.parse((await journey.mlv('jobs', 'show', job, '--json')).stdout)
    if (!['queued', 'provisioning', 'running', 'recovering'].includes(state)) throw new Error(`${state}: ${stdout}`)
  }
}

/** The training process of a rank of a job that runs. */
async function processOf(job: string, rank: number): Promise<number> {
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
    const [argv, environment] = [await read('cmdline'), (await read('environ')).split('\0')]
    const isOurs = argv.startsWith('python\0-m\0mlvision.entry.ddp') && environment.includes(`MLV_JOB_NAME=${job}`)
    if (isOurs && environment.includes(`RANK=${rank}`)) return Number(pid)
  }
  throw new Error(`${job} has no process ${rank}.`)
}

describe('a training on two processes', () => {
  it('tries each first, and ends with one run and one model although a process was told to leave and another died', async () => {
    const whole = await journey.mlv('ddp', '-j', '1x2', '--json', '--preflight', '-n', 'whole', ...EPOCHS, ...HALF)
    expect(whole.code).toBe(0)
    expect(whole.stderr).toMatch(/Preflight: 2 processes add up/)
    const {metrics} = JSON.parse(whole.stdout)
    expect(metrics.test_accuracy).toBeGreaterThan(0.9)

    await journey.mlv('ddp', '-j', '1x2', '-d', '--elastic', '-n', 'hit', ...EPOCHS, ...HALF)
    await said('hit', /^epoch/m)
    process.kill(await processOf('hit', 1), 'SIGTERM')
    await said('hit', /process 1 was told to leave[\s\S]*no failure[\s\S]*Going on after epoch/i)
    process.kill(await processOf('hit', 1), 'SIGKILL')
    const ended = await journey.mlv('jobs', 'wait', 'hit', '--json')
    const log = (await journey.mlv('jobs', 'logs', 'hit')).stdout
    expect(log).toContain('Process 1 of 2')
    expect(log).toContain('killed by SIGKILL')
    expect(log).toContain('Going on with 1 process from the last checkpoint (--elastic)')
    expect(ended.code).toBe(0)
    // Neither the pause nor the other number of processes changed what was learnt.
    expect(JSON.parse(ended.stdout).metrics.test_loss).toBeCloseTo(metrics.test_loss, 2)
  }, 400_000)

  it('ends when a process dies, with its name and no other process left', async () => {
    await journey.mlv('ddp', '-j', '1x2', '-d', '-n', 'dead', '--epochs', '5000', ...HALF)
    await said('dead', /^epoch/m)
    process.kill(await processOf('dead', 1), 'SIGKILL')
    const {code, stderr} = await journey.mlv('jobs', 'wait', 'dead', '--timeout', '200')
    expect(stderr).toContain('Process 1 of 2')
    expect(stderr).toContain('was the first to fail: it was killed by SIGKILL')
    expect(code).toBe(100)
    await expect(processOf('dead', 0)).rejects.toThrow('dead has no process 0')
  })

  it('is stopped as a whole, after a checkpoint', async () => {
    await journey.mlv('ddp', '-j', '1x2', '-d', '-n', 'stopped', '--epochs', '5000', ...HALF)
    await said('stopped', /^epoch/m)
    expect(JSON.parse((await journey.mlv('jobs', 'stop', 'stopped', '--json')).stdout).state).toBe('stopped')
    expect((await journey.mlv('jobs', 'wait', 'stopped')).code).toBe(101)
  })
})

describe('a comparison', () => {
  it('gives the same numbers as a table, as JSON and as a picture in MLflow', async () => {
    const argv = ['ddp', '--scaling', '1,2', '--hourly-price', '0.5', '-n', 'scale', '--epochs', '3', ...HALF]
    const {code, stdout} = await journey.mlv(...argv, '--json')
    expect(code).toBe(0)
    const {scaling} = JSON.parse(stdout)
    expect(scaling.batch_size).toBe(128)
    expect(scaling.sizes.map((size: {processes: number}) => size.processes)).toEqual([1, 2])
    expect(scaling.sizes[0]).toMatchObject({speed_up: 1, efficiency: 1})
    expect(scaling.sizes[1].cost).toBeGreaterThan(0)
    await journey.mlv('jobs', 'logs', 'scale', '--download', 'out')
    const saved = JSON.parse(await readFile(`${journey.folder}/out/scaling/scaling.json`, 'utf8'))
    expect(saved).toEqual(scaling)
    expect((await readFile(`${journey.folder}/out/scaling/scaling.png`)).subarray(1, 4).toString()).toBe('PNG')
  })
})

describe('wrong words', () => {
  it.each([
    [['-j', '2'], 2, 'MLV_DDP_FORM'],
    [['-j', '0x2'], 2, 'MLV_DDP_FORM'],
    [['--scaling', '4,2'], 2, 'MLV_DDP_FORM'],
    [['--cpus-per-worker', '0'], 2, 'MLV_DDP_FORM'],
    [['digits'], 2, 'MLV_JOB_COMMAND'],
    [['-j', '1x2', '--gpus-per-worker', '8'], 1, 'MLV_JOB_TOO_BIG'],
    [['-j', '4x1', '--cpus-per-worker', '999'], 1, 'MLV_JOB_TOO_BIG'],
  ])('%j are one sentence with a code, at once', async (argv, exit, code) => {
    const {code: ended, stderr} = await journey.mlv('ddp', ...argv)
    expect(stderr).toContain(`Code: ${code}`)
    expect(stderr).toContain('Try this:')
    expect(ended).toBe(exit)
  })
})
