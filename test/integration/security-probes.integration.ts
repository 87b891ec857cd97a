import {readdir, readFile, stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {basicAuth, probe} from '../../src/lib/verify/canaries/probe.js'
import {type Journey, startJourney} from '../_helpers/journey.js'
import {listeners, watchArguments} from '../_helpers/proc.js'

/** Says that it runs, and waits to be stopped. */
const WAITING = `import signal; print("up", flush=True); signal.pause()`

let journey: Journey
let ports: Record<'mlflow' | 'ray' | 'gcs', number>
let secrets: Record<'admin' | 'jobs' | 'key' | 'token', string>
let argumentLists: ReadonlySet<string>

beforeAll(async () => {
  journey = await startJourney()
  const watch = watchArguments()
  const setup = await journey.mlv('setup', '--yes')
  expect(setup.code, setup.stderr).toBe(0)
  const submitted = await journey.mlv('train', '-d', '-n', 'waiting', '--', 'python', '-c', WAITING)
  expect(submitted.code, submitted.stderr).toBe(0)
  await untilItSays('waiting', 'up')
  argumentLists = await watch.stop()
  const credential = (name: string) => readFile(join(journey.stateDir, 'credentials', name), 'utf8')
  ports = JSON.parse(await readFile(join(journey.stateDir, 'ports.json'), 'utf8'))
  secrets = {
    admin: JSON.parse(await credential('admin.json')).password,
    jobs: JSON.parse(await credential('mlv-jobs.json')).password,
    key: await credential('mlflow-secret-key'),
    token: await credential('ray-token'),
  }
})

afterAll(async () => {
  await journey?.mlv('teardown', '--delete-data', '--confirm', 'local')
  await journey?.end()
})

async function untilItSays(job: string, word: string): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!(await journey.mlv('jobs', 'logs', job)).stdout.split('\n').includes(word)) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${job} to say ${word}.`)
  }
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

type Headers = Record<string, string>

async function status(service: 'mlflow' | 'ray', method: 'GET' | 'POST', path: string, headers: Headers = {}) {
  const url = `http://127.0.0.1:${ports[service]}${path}`
  const body = method === 'POST' ? {body: '{}', headers: {...headers, 'content-type': 'application/json'}} : {headers}
  return (await probe(url, {method, ...body, signal: AbortSignal.timeout(60_000)})).status
}

describe('MLflow, to somebody without a password,', () => {
  it.each([
    ['GET', '/health', 200],
    ['GET', '/', 401],
    ['GET', '/version', 401],
    ['GET', '/signup', 401],
    ['POST', '/api/2.0/mlflow/users/create', 401],
    ['POST', '/api/2.0/mlflow/experiments/search', 401],
    ['POST', '/graphql', 401],
    ['POST', '/v1/traces', 401],
    ['GET', '/ajax-api/3.0/jobs/', 401],
    ['GET', '/get-artifact?run_uuid=0&path=a', 401],
    ['GET', '/api/2.0/mlflow-artifacts/artifacts', 401],
    ['GET', '/metrics', 401],
  ] as const)('answers %s %s with %i', async (method, path, wanted) => {
    expect(await status('mlflow', method, path)).toBe(wanted)
  })

  it.each(['password', 'password1234'])('has no admin with the old default password %s', async password => {
    expect(await status('mlflow', 'GET', '/version', {authorization: basicAuth('admin', password)})).toBe(401)
  })
})

describe('MLflow, to a page in the browser of somebody who is signed in,', () => {
  const signedIn = () => ({authorization: basicAuth('admin', secrets.admin)})
  const search = '/api/2.0/mlflow/experiments/search'

  it('answers what comes by its own name', async () => {
    expect(await status('mlflow', 'GET', '/version', signedIn())).toBe(200)
    expect(await status('mlflow', 'GET', '/version', {...signedIn(), host: `localhost:${ports.mlflow}`})).toBe(200)
  })

  it('refuses a foreign Host with 403, so that no other name can be pointed at it', async () => {
    expect(await status('mlflow', 'GET', '/', {...signedIn(), host: 'attacker.example'})).toBe(403)
    expect(await status('mlflow', 'POST', search, {...signedIn(), host: `attacker.example:${ports.mlflow}`})).toBe(403)
  })

  it('refuses a foreign Origin with 403', async () => {
    expect(await status('mlflow', 'POST', search, {...signedIn(), origin: 'http://attacker.example'})).toBe(403)
  })
})

describe('Ray', () => {
  it.each([
    ['nothing', 'GET', '/api/version', 401],
    ['nothing', 'GET', '/api/jobs/', 401],
    ['nothing', 'POST', '/api/jobs/', 401],
    ['nothing', 'GET', '/api/v0/logs?node_ip=127.0.0.1', 401],
    ['nothing', 'GET', '/nodes?view=summary', 401],
    ['nothing', 'GET', '/metrics', 401],
    ['a wrong token', 'GET', '/api/version', 403],
    ['the token', 'GET', '/api/version', 200],
    ['nothing', 'GET', '/api/gcs_healthz', 200],
    ['nothing', 'GET', '/', 200],
  ] as const)('with %s answers %s %s with %i', async (who, method, path, wanted) => {
    const tokens = {nothing: undefined, 'a wrong token': '0'.repeat(64), 'the token': secrets.token}
    const token = tokens[who]
    expect(await status('ray', method, path, token ? {authorization: `Bearer ${token}`} : {})).toBe(wanted)
  })

  it('shows no secret to those who may read its jobs', async () => {
    const url = `http://127.0.0.1:${ports.ray}/api/jobs/`
    const headers = {authorization: `Bearer ${secrets.token}`}
    const {body} = await probe(url, {headers, signal: AbortSignal.timeout(60_000)})
    expect(body).toContain('MLV_JOB_SPEC')
    for (const secret of Object.values(secrets)) expect(body).not.toContain(secret)
  })
})

describe('this machine', () => {
  it('can be reached from no other one: all that listens, a running job too, is on loopback', async () => {
    const pids = (await journey.processes()).map(({pid}) => pid)
    const found = await listeners(pids)
    for (const port of Object.values(ports)) expect(found).toContain(`127.0.0.1:${port}`)
    expect(found.filter(address => !address.startsWith('127.'))).toEqual([])
  })

  it('lets nobody else near the state, the sockets of Ray, passwords, tokens and keys', async () => {
    const commands = (await journey.processes()).map(({command}) => command)
    const temporary = commands.map(command => / --temp-dir=(\S+)/.exec(command)?.[1]).find(Boolean) ?? ''
    const credentials = join(journey.stateDir, 'credentials')
    for (const folder of [journey.stateDir, credentials, dirname(temporary)]) {
      expect(await modeOf(folder), folder).toBe(0o700)
    }
    const names = await readdir(credentials)
    expect(names).toEqual(expect.arrayContaining(['admin.json', 'mlv-jobs.json', 'mlflow-secret-key', 'ray-token']))
    for (const name of names) expect(await modeOf(join(credentials, name)), name).toBe(0o600)
  })

  it('shows no secret in the arguments of any process, from the first of setup to a running job', () => {
    const lists = [...argumentLists]
    for (const seen of [/ -m mlflow server /, /gcs_server/, /mlvision\.entry\.driver/, /signal\.pause/]) {
      expect(
        lists.some(list => seen.test(list)),
        String(seen),
      ).toBe(true)
    }
    for (const secret of Object.values(secrets)) expect(lists.filter(list => list.includes(secret))).toEqual([])
  })
})
