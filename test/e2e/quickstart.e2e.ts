import {spawn} from 'node:child_process'
import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {bin, ended, type Journey, startJourney} from '../_helpers/journey.js'

// One person's first hour, in order: each step stands on the one before it.
describe('from nothing to a trained model, in a folder with spaces and Korean letters, without a terminal', () => {
  let journey: Journey
  let job = ''

  beforeAll(async () => {
    journey = await startJourney()
  })

  afterAll(async () => {
    await journey.end()
  })

  it('mlv quickstart ends with a test accuracy of 97 % at least and the address of its run', async () => {
    const {code, stderr, stdout} = await journey.mlv('quickstart')
    expect(stderr).not.toMatch(/\n\s+at \S+ \(/)
    expect(code, stderr).toBe(0)
    const accuracy = Number(/recognises ([\d.]+) %/.exec(stdout)?.[1])
    expect(accuracy).toBeGreaterThanOrEqual(97)
    expect(stdout).toMatch(/http:\/\/127\.0\.0\.1:\d+\/#\/experiments\/\d+\/runs\/[0-9a-f]{32}/)
    expect(stdout).toContain('Next steps:')
    // No cursor is moved and no colour is drawn where nobody looks.
    expect(stdout + stderr).not.toContain('\u001B')
  })

  it('a second one takes what is there', async () => {
    const {code, stderr, stdout} = await journey.mlv('quickstart', '--json')
    expect(code, stderr).toBe(0)
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({reused: true, verified: {failed: 0}})
    expect(result.metrics.test_accuracy).toBeGreaterThanOrEqual(0.97)
    job = result.run.name
  })

  it('mlv status says that all is ready', async () => {
    const {code, stderr, stdout} = await journey.mlv('status', '--exit-code', '--json')
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ready: true, in_flight: null})
  })

  it('mlv jobs list and logs show the one job', async () => {
    const list = await journey.mlv('jobs', 'list')
    expect(list.code, list.stderr).toBe(0)
    expect(list.stdout).toContain(job)
    expect(list.stdout).toContain('succeeded')
    const logs = await journey.mlv('jobs', 'logs', job)
    expect(logs.code, logs.stderr).toBe(0)
    expect(logs.stdout.length).toBeGreaterThan(100)
  })

  it('mlv open --client prints lines that let the clients of MLflow and Ray in', async () => {
    const mlflow = await journey.mlv('open', 'mlflow', '--client')
    const ray = await journey.mlv('open', 'ray', '--client')
    expect(mlflow.stdout + ray.stdout).toMatch(/^(export [A-Z_]+=.+\n){7}$/)
    const {python} = JSON.parse(await readFile(join(journey.stateDir, 'environment.json'), 'utf8'))
    const program = join(journey.folder, 'client.sh')
    const code =
      'import mlflow, ray; ray.init(logging_level="error"); print(len(ray.nodes()), len(mlflow.search_experiments()))'
    await writeFile(program, `${mlflow.stdout}${ray.stdout}exec ${python} -c '${code}'\n`)
    const {stderr, stdout} = await ended(spawn('bash', [program], {stdio: ['ignore', 'pipe', 'pipe']}))
    expect(stdout, stderr).toMatch(/^1 [1-9]\d*$/m)
  })

  it('mlv verify passes every canary, writes a JUnit report and leaves nothing', async () => {
    const {code, stderr, stdout} = await journey.mlv('verify', '--json', '--junit', '보고서 1.xml')
    expect(code, stderr + stdout).toBe(0)
    const {canaries, failed} = JSON.parse(stdout)
    expect(failed).toBe(0)
    expect(canaries).toHaveLength(10)
    expect(await readFile(join(journey.folder, '보고서 1.xml'), 'utf8')).toContain('tests="10" failures="0"')
    const list = JSON.parse((await journey.mlv('jobs', 'list', '--all', '--json')).stdout)
    expect(JSON.stringify(list)).not.toContain('mlv-verify')
    expect((await readdir(journey.stateDir)).filter(name => name.includes('mlv-verify'))).toEqual([])
  })

  it('mlv verify --only runs what it names', async () => {
    const {code, stdout} = await journey.mlv('verify', '--only', 'sign-in,disk', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout).canaries.map(({id}: {id: string}) => id)).toEqual(['sign-in', 'disk'])
  })

  it('mlv support dump holds none of the secrets that setup made', async () => {
    const {code, stderr, stdout} = await journey.mlv('support', 'dump')
    expect(code, stderr).toBe(0)
    const text = await readFile(stdout.trim(), 'utf8')
    const folder = join(journey.stateDir, 'credentials')
    const secrets = await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'utf8')))
    const values = secrets.flatMap(secret => (secret.startsWith('{') ? [JSON.parse(secret).password] : [secret.trim()]))
    expect(values.length).toBeGreaterThanOrEqual(3)
    for (const value of values) expect(text).not.toContain(value)
    expect(text).toContain('End of mlflow.log')
  })

  it('mlv verify ends with 11 when Ray is gone, and names the command that brings it back', async () => {
    const {pid} = JSON.parse(await readFile(join(journey.stateDir, 'services', 'ray.json'), 'utf8'))
    process.kill(pid, 'SIGKILL')
    const {code, stdout} = await journey.mlv('verify', '--only', 'sign-in,ray-sign-in', '--json')
    expect(code).toBe(11)
    const [signIn, ray] = JSON.parse(stdout).canaries
    expect([signIn.state, ray.state]).toEqual(['passed', 'failed'])
    expect(ray.try_this).toContain(`${bin} setup`)
  })

  it('mlv teardown leaves no process, and verify then says that nothing runs', async () => {
    const {code, stderr} = await journey.mlv('teardown', '--yes')
    expect(code, stderr).toBe(0)
    expect(await journey.processes()).toEqual([])
    const verify = await journey.mlv('verify')
    expect(verify.code).toBe(1)
    expect(verify.stderr).toMatch(/Try this:\n +\S+ setup/)
  })
})
