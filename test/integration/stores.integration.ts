import {chmod, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {eightWriters} from '../_helpers/eight-writers.js'
import {type Ended, type Journey, startJourney} from '../_helpers/journey.js'
import {findPostgres, type PostgresServer, startPostgres} from '../_helpers/postgres-server.js'
import {watchArguments} from '../_helpers/proc.js'
import {type S3Server, startS3} from '../_helpers/s3-server.js'

const EPOCHS = 3

// One platform for all; the tests come in the order in which a team meets their subjects.
describe.skipIf(!findPostgres())('a profile whose runs lie in PostgreSQL and whose files lie in a bucket', () => {
  let journey: Journey
  let postgres: PostgresServer
  let s3: S3Server
  let run: {id: string; name: string}
  let argumentLists: readonly string[]

  beforeAll(async () => {
    ;[journey, postgres, s3] = await Promise.all([startJourney(), startPostgres(), startS3()])
    const store = `    mlflow:\n      store: ${postgres.address()}\n`
    const bucket = `      artifacts: s3://${s3.bucket}/mlflow\n    storage: s3://${s3.bucket}/checkpoints\n`
    await write('mlv.yaml', `default: local\nprofiles:\n  local:\n${store}${bucket}  second:\n${store}`)
    await write(
      '.env',
      `AWS_ACCESS_KEY_ID=${s3.key}\nAWS_SECRET_ACCESS_KEY=${s3.secret}\nAWS_DEFAULT_REGION=us-east-1\n` +
        `MLFLOW_S3_ENDPOINT_URL=${s3.endpoint}\n`,
    )
    await write('.env.local', `MLV_MLFLOW_STORE_PASSWORD=\`${postgres.password}\`\n`)
    const watch = watchArguments()
    const setup = await journey.mlv('setup', '--yes')
    expect(setup.code, setup.stderr).toBe(0)
    const train = await journey.mlv('train', 'digits', '--json', '-n', 'first', '--epochs', String(EPOCHS))
    expect(train.code, train.stderr).toBe(0)
    expect(JSON.parse(train.stdout).metrics.test_accuracy).toBeGreaterThan(0.9)
    run = JSON.parse(train.stdout).run
    argumentLists = [...(await watch.stop())]
  })

  afterAll(async () => {
    await journey?.mlv('teardown', '--delete-data', '--confirm', 'local')
    await journey?.end()
    await Promise.all([postgres?.stop(), s3?.stop()])
  })

  const write = (name: string, text: string) => writeFile(join(journey.folder, name), text)

  function expectSentence(ended: Ended, code: string, sentence: string) {
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toContain(sentence)
    expect(ended.stderr).toMatch(/Try this:\n {2}\S/)
    expect(ended.stderr).toContain(`Code: ${code}`)
    expect(ended.stderr).not.toMatch(/^\s+at |Traceback/m)
    expect(ended.stderr).not.toContain(postgres.password)
    expect(ended.code).toBe(1)
  }

  it('has the run, its metrics and its end in one database, and the sign-ins in another', async () => {
    const ofRun = (table: string, what: string) => `select ${what} from ${table} where run_uuid = '${run.id}'`
    expect(await postgres.query(ofRun('runs', 'status'), 'mlflow')).toBe('FINISHED')
    const steps = `${ofRun('metrics', 'step')} and key = 'val_accuracy' order by step`
    expect(await postgres.query(steps, 'mlflow')).toBe('1\n2\n3')
    const databases = "select datname from pg_database where datname like 'mlflow%' order by 1"
    expect(await postgres.query(databases)).toBe('mlflow\nmlflow_auth')
    expect(await postgres.query('select username from users order by 1', 'mlflow_auth')).toBe('admin\nmlv-jobs')
    expect(await postgres.query("select to_regclass('users')", 'mlflow')).toBe('')
    expect((await readdir(join(journey.stateDir, 'data'))).filter(name => name.endsWith('.db'))).toEqual([])
  })

  it('has artifacts, model, job log and checkpoints in the bucket, and none of them in a folder', async () => {
    const keys = await s3.keys()
    const artifacts = keys.filter(key => key.startsWith('mlflow/') && key.includes(run.id))
    for (const file of ['job/log.txt', 'job/spec.json', 'plots/learning_curve.png']) {
      expect(
        artifacts.some(key => key.endsWith(`/artifacts/${file}`)),
        file,
      ).toBe(true)
    }
    expect(keys.some(key => /^mlflow\/\d+\/models\/[^/]+\/artifacts\/data\/model\.pt2$/.test(key))).toBe(true)
    expect(keys.filter(key => key.startsWith('checkpoints/'))).toContain(
      'checkpoints/first/checkpoint-000003-00000000.pt',
    )
    expect(await readdir(join(journey.stateDir, 'data'))).toEqual([])
  })

  it('gives the files back through mlv', async () => {
    const download = await journey.mlv('jobs', 'logs', 'first', '--download', 'out')
    expect(download.code, download.stderr).toBe(0)
    expect(await readFile(join(journey.folder, 'out/log.txt'), 'utf8')).toContain(
      `s3://${s3.bucket}/checkpoints/first/`,
    )
    expect(JSON.parse(await readFile(join(journey.folder, 'out/job/spec.json'), 'utf8')).job.name).toBe('first')
    const picture = await readFile(join(journey.folder, 'out/plots/learning_curve.png'))
    expect(picture.subarray(1, 4).toString()).toBe('PNG')
  })

  it('shows the password and the key to nobody: no argument, no file of the platform, no log, no dump', async () => {
    for (const seen of [/ -m mlflow server /, /gcs_server/, /mlvision\.entry\.train/]) {
      expect(
        argumentLists.some(list => seen.test(list)),
        String(seen),
      ).toBe(true)
    }
    const commands = (await journey.processes()).map(({command}) => command)
    const rayFolder = commands.map(command => / --temp-dir=(\S+)/.exec(command)?.[1]).find(Boolean) ?? ''
    const dump = await journey.mlv('support', 'dump')
    expect(dump.code, dump.stderr).toBe(0)
    const texts = [
      ...argumentLists,
      await readFile(dump.stdout.trim(), 'latin1'),
      ...(await filesBelow(join(journey.folder, '.mlv'))),
      ...(await filesBelow(rayFolder)),
    ]
    expect(texts.length).toBeGreaterThan(50)
    const secrets = [postgres.password, s3.secret]
      .flatMap(secret => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
      .flatMap(form => [form, Buffer.from(form).toString('latin1')])
    const tells = (text: string) => secrets.some(secret => text.includes(secret))
    for (const file of ['.env', '.env.local']) {
      expect(tells(await readFile(join(journey.folder, file), 'latin1')), `${file} has to be found`).toBe(true)
    }
    expect(texts.filter(tells)).toEqual([])
  })

  it('gives the password to MLflow alone: Ray, and so every job, has none', async () => {
    const processes = await journey.processes()
    const environments = await Promise.all(
      processes.map(({pid}) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')),
    )
    const services = (environment: string) => /\0MLV_SERVICE=(\w+)\0/.exec(`\0${environment}`)?.[1]
    const told = environments.filter(environment => environment.includes(postgres.password))
    expect(new Set(told.map(services))).toEqual(new Set(['mlflow']))
    expect(new Set(environments.map(services))).toContain('ray')
  })

  it('loses no point and locks nothing while eight processes write at once', async () => {
    const {complaints, locks, readBack, sent} = await eightWriters(journey)
    expect(complaints).toEqual([])
    expect(readBack).toEqual(sent)
    expect(locks).toEqual([])
  })

  it('takes the password from a file that only its owner can read, and from no other', async () => {
    await write('secret.txt', `${postgres.password}\n`)
    await write('.env.local', 'MLV_MLFLOW_STORE_PASSWORD_FILE=secret.txt\n')
    const file = join(journey.folder, 'secret.txt')
    await chmod(file, 0o644)
    const {pid} = JSON.parse(await readFile(join(journey.stateDir, 'services/mlflow.json'), 'utf8'))
    process.kill(pid, 'SIGKILL')
    expectSentence(await journey.mlv('setup', '--only', '03'), 'MLV_STORE_PASSWORD_FILE', `Others may read ${file}`)
    await chmod(file, 0o600)
    const setup = await journey.mlv('setup', '--only', '03')
    expect(setup.code, setup.stderr).toBe(0)
    expect((await journey.mlv('verify', '--only', 'tracking')).code).toBe(0)
  })

  it.each([
    ['a wrong password', 'MLV_MLFLOW_STORE_PASSWORD=wrong\n', '', 'MLV_STORE_SIGN_IN', 'does not let mlflow in'],
    ['no password', '', '', 'MLV_STORE_SIGN_IN', 'wants a password for mlflow, and none is set'],
    ['no such database', undefined, 'nothing', 'MLV_STORE_MISSING', 'There is no database nothing at 127.0.0.1'],
  ])('%s is one sentence, and leaves alone what runs', async (_, variables, database, code, sentence) => {
    const kept = await readFile(join(journey.folder, '.env.local'), 'utf8')
    if (variables !== undefined) await write('.env.local', variables)
    const store = database === '' ? [] : ['--setting', `mlflow.store=${postgres.address(database)}`]
    expectSentence(await journey.mlv('setup', '--only', '03', ...store), code, sentence)
    await write('.env.local', kept)
    const {phases} = JSON.parse((await journey.mlv('status', '--json')).stdout)
    expect(phases).toContainEqual(expect.objectContaining({id: '03-mlflow', state: 'ready'}))
  })

  it.each([
    [
      'no such bucket',
      'MLV_BUCKET_MISSING',
      'There is no bucket nowhere at',
      '.env',
      'mlflow.artifacts=s3://nowhere/a',
    ],
    [
      'a wrong key',
      'MLV_BUCKET_SIGN_IN',
      'does not let this profile write to s3://',
      'AWS_SECRET_ACCESS_KEY=wrong\n',
      '',
    ],
  ])('%s is one sentence', async (_, code, sentence, more, setting) => {
    const kept = await readFile(join(journey.folder, '.env'), 'utf8')
    if (more !== '.env') await write('.env', kept + more)
    const settings = setting === '' ? [] : ['--setting', setting]
    expectSentence(await journey.mlv('setup', '--only', '03', ...settings), code, sentence)
    await write('.env', kept)
  })

  it('lets no second setup lock itself out of the sign-ins of the first', async () => {
    const second = (only: string) => journey.mlv('setup', '--profile', 'second', '--only', only)
    for (const phase of ['01', '02']) expect((await second(phase)).code).toBe(0)
    expectSentence(await second('03'), 'MLV_STORE_ADMIN', 'has a user admin whose password this profile does not know')
  })

  it('names the database when its server is down, and what lies elsewhere when all is deleted', async () => {
    await postgres.stop()
    expectSentence(await journey.mlv('jobs', 'list'), 'MLV_STORE_UNREACHABLE', 'MLflow cannot use its database')
    expectSentence(await journey.mlv('setup'), 'MLV_STORE_UNREACHABLE', 'PostgreSQL does not answer at 127.0.0.1')
    const down = await journey.mlv('teardown', '--delete-data', '--confirm', 'local', '--json')
    expect(down.code, down.stderr).toBe(0)
    expect(JSON.parse(down.stdout).kept.map(({where}: {where: string}) => where)).toEqual([
      postgres.address(),
      `s3://${s3.bucket}/mlflow`,
      `s3://${s3.bucket}/checkpoints`,
    ])
    expect(await journey.processes()).toEqual([])
  })
})

/** Bytes of every file, one character a byte. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, {recursive: true, withFileTypes: true})
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return Promise.all(files.map(file => readFile(file, 'latin1')))
}
