import {readdir, readFile, writeFile} from 'node:fs/promises'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest'

import {type Ended, ended, type Journey, startJourney} from '../_helpers/journey.js'

/** Ticks until it is stopped. */
const slow = `import time
for number in range(10_000):
    print("tick", number, flush=True)
    time.sleep(0.2)
`

let journey: Journey
let foreign: Server | undefined

const state = (path: string) => readFile(join(journey.stateDir, path), 'utf8')
const pidOf = async (service: string) => JSON.parse(await state(`services/${service}.json`)).pid as number

/** Ends a service and all that it started, as a crash of the machine's memory killer would; waits until it is gone. */
async function kill(service: string): Promise<void> {
  const pid = await pidOf(service)
  process.kill(-pid, 'SIGKILL')
  const stat = () => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  await expect.poll(stat, {timeout: 60_000}).toMatch(/\) [ZX]/)
}

/** Starts mlv and waits until its stderr has a line. */
function startUntil(pattern: RegExp, ...argv: string[]): {seen: Promise<void>; ended: Promise<Ended>} {
  const child = journey.start(...argv)
  const end = ended(child)
  let text = ''
  const seen = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', chunk => {
        text += chunk
        if (pattern.test(text)) resolve()
      })
    }
    child.on('close', () => reject(new Error(`mlv ended without ${pattern}: ${text}`)))
  })
  return {seen, ended: end}
}

/** Takes a port and answers everything with 200, as an MLflow without sign-in would. */
async function listenOn(port: number): Promise<string[]> {
  const paths: string[] = []
  const server = createServer(({url = ''}, response) => {
    paths.push(url)
    response.end('{}')
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  foreign = server
  return paths
}

function isOneSentence({stderr, stdout}: Ended, code: string): void {
  expect(stderr).toContain(`Code: ${code}`)
  expect(stderr).toContain('Try this:')
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at .*:\d+/m)
}

beforeAll(async () => {
  journey = await startJourney()
  await writeFile(join(journey.folder, 'slow.py'), slow)
  const {code, stderr} = await journey.mlv('setup', '--yes')
  expect({code, stderr}).toMatchObject({code: 0})
})

afterEach(() => {
  foreign?.closeAllConnections()
  foreign?.close()
  foreign = undefined
})

afterAll(async () => {
  await journey?.mlv('teardown', '--delete-data', '--confirm', 'local')
  await journey?.end()
})

describe('a running job', () => {
  it('outlives an MLflow that is killed, and no point of it is lost', async () => {
    const following = startUntil(/epoch +2\/25/, 'train', 'digits', '-n', 'survivor', '--epochs', '25')
    await following.seen
    await kill('mlflow')
    const list = await journey.mlv('jobs', 'list')
    expect(list).toMatchObject({code: 1, stdout: ''})
    isOneSentence(list, 'MLV_NOT_RUNNING')
    expect(list.stderr).not.toContain('Warning')
    expect(await journey.mlv('setup', '--only', '03', '--yes')).toMatchObject({code: 0})
    const {code, stderr, stdout} = await following.ended
    expect({code, stderr}).toMatchObject({code: 0})
    expect(stdout).toContain('survivor succeeded')
    const {run} = JSON.parse((await journey.mlv('jobs', 'show', 'survivor', '--json')).stdout)
    expect(await steps(run.id)).toEqual(Array.from({length: 25}, (_, index) => index + 1))
    expect((await journey.mlv('jobs', 'show', 'survivor')).stdout).toMatch(
      /^course +[_.=+*#@-]{25} {2}val_accuracy, 25 points$/m,
    )
  })

  it('whose Ray is killed is failed, says why, and leaves no process', async () => {
    const following = startUntil(/tick 2/, 'train', '-n', 'lost', '--', 'python', 'slow.py')
    await following.seen
    await kill('ray')
    const again = await journey.mlv('train', 'digits')
    expect(again.code).toBe(1)
    isOneSentence(again, 'MLV_NOT_RUNNING')
    expect(await journey.mlv('setup', '--only', '07', '--yes')).toMatchObject({code: 0})
    const end = await following.ended
    // What ends first decides: the job's driver, which says so by its run, or the head, which can say nothing.
    const {state: ending} = JSON.parse((await journey.mlv('jobs', 'show', 'lost', '--json')).stdout)
    expect(end).toMatchObject({
      code: ending === 'stopped' ? 101 : 100,
      stderr: expect.stringMatching(
        /Ray no longer knows the job: its head was stopped or lost|It was killed by SIGTERM/,
      ),
    })
    isOneSentence(end, ending === 'stopped' ? 'MLV_JOB_STOPPED' : 'MLV_JOB_FAILED')
    const logs = await journey.mlv('jobs', 'logs', 'lost')
    expect(logs.code).toBe(0)
    // The driver may have had the time to save it.
    if (logs.stdout === '') expect(logs.stderr).toMatch(/Of lost no log was kept: .* remains: \S+ jobs show lost\n/)
    else expect(logs.stdout).toContain('tick')
    expect((await journey.processes()).filter(({command}) => command.includes('slow.py'))).toEqual([])
  })
})

describe('damaged files of the state folder', () => {
  it('are kept aside and made anew from what is there: addresses, runs and Ray stay', async () => {
    const kept = ['ports.json', 'environment.json']
    const before = await Promise.all(kept.map(state))
    const head = await pidOf('ray')
    const damaged = [
      'ports.json',
      'environment.json',
      'journal.jsonl',
      'credentials/mlv-jobs.json',
      'credentials/admin.json',
      'services/ray.json',
    ]
    for (const name of damaged) await writeFile(join(journey.stateDir, name), 'rubbish\n')
    const look = await journey.mlv('status')
    expect(look).toMatchObject({code: 0, stderr: ''})
    expect(await state('ports.json')).toBe('rubbish\n')
    const {code, stderr} = await journey.mlv('setup', '--yes')
    expect({code, stderr}).toMatchObject({code: 0})
    expect(stderr.match(/was damaged\. It is kept as/g)).toHaveLength(damaged.length)
    expect(await Promise.all(kept.map(state))).toEqual(before)
    // MLflow is started again, because its admin gets another password; a head that works is not.
    expect(await pidOf('ray')).toBe(head)
    const names = (await readdir(journey.stateDir, {recursive: true})).filter(name => name.includes('.corrupt-'))
    expect(names).toHaveLength(damaged.length)
    for (const name of names) expect(await state(name)).toBe('rubbish\n')
    const {jobs} = JSON.parse((await journey.mlv('jobs', 'list', '--json')).stdout)
    expect(jobs.map((job: {name: string}) => job.name).sort()).toEqual(['lost', 'survivor'])
  })
})

describe('a port', () => {
  it('that another server takes while MLflow starts is left to it, and MLflow moves', async () => {
    const {mlflow: port} = JSON.parse(await state('ports.json'))
    const old = await pidOf('mlflow')
    await kill('mlflow')
    const setup = ended(journey.start('setup', '--only', '03', '--yes'))
    while ((await pidOf('mlflow').catch(() => old)) === old) await new Promise(resolve => setTimeout(resolve, 20))
    const asked = await listenOn(port)
    const {code, stderr} = await setup
    expect({code, stderr}).toMatchObject({code: 0})
    expect(stderr).toContain(`Port ${port} is taken by process ${process.pid}`)
    expect(stderr).toContain('mlflow moves to')
    // It would have passed for ours by its health.
    expect(asked).toContain('/health')
    expect(JSON.parse(await state('ports.json')).mlflow).not.toBe(port)
    expect(await journey.mlv('jobs', 'list')).toMatchObject({code: 0})
  })

  it('that the profile fixes anew is looked at before the server that runs is ended', async () => {
    await listenOn(0)
    const port = (foreign?.address() as AddressInfo | undefined)?.port
    const [before, pid] = await Promise.all([state('ports.json'), pidOf('mlflow')])
    isOneSentence(await journey.mlv('setup', '--yes', '--setting', `mlflow.port=${port}`), 'MLV_PORT_TAKEN')
    expect([await state('ports.json'), await pidOf('mlflow')]).toEqual([before, pid])
    expect(await journey.mlv('jobs', 'list')).toMatchObject({code: 0})
  })

  it('of a server that has ended is asked for nothing: no password goes to whoever took it', async () => {
    const {mlflow} = JSON.parse(await state('ports.json'))
    await kill('mlflow')
    await expect.poll(() => listenOn(mlflow).catch(() => undefined), {timeout: 60_000}).toBeDefined()
    const asked: string[] = []
    foreign?.on('request', ({url = ''}) => asked.push(url))
    isOneSentence(await journey.mlv('jobs', 'list'), 'MLV_NOT_RUNNING')
    const {services} = JSON.parse((await journey.mlv('status', '--json')).stdout)
    expect(services[0]).toMatchObject({name: 'mlflow', url: null})
    expect(asked).toEqual([])
  })

  it('that the profile fixes and another process holds is named together with it', async () => {
    const {ray} = JSON.parse(await state('ports.json'))
    await kill('ray')
    await expect.poll(() => listenOn(ray).catch(() => undefined), {timeout: 60_000}).toBeDefined()
    const refused = await journey.mlv('setup', '--from', '02', '--yes', '--setting', `ray.port=${ray}`)
    expect(refused).toMatchObject({code: 1, stderr: expect.stringContaining(`is taken by process ${process.pid} (`)})
    isOneSentence(refused, 'MLV_PORT_TAKEN')
  })
})

/** The steps of a metric that MLflow has. */
async function steps(run: string): Promise<number[]> {
  const {mlflow} = JSON.parse(await state('ports.json'))
  const {password, username} = JSON.parse(await state('credentials/admin.json'))
  const query = `run_id=${run}&metric_key=val_accuracy&max_results=1000`
  const response = await fetch(`http://127.0.0.1:${mlflow}/api/2.0/mlflow/metrics/get-history?${query}`, {
    headers: {authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`},
  })
  const {metrics} = (await response.json()) as {metrics: {step: number}[]}
  return metrics.map(({step}) => step).sort((a, b) => a - b)
}
