import {type ChildProcess, spawn, spawnSync} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {request} from 'node:http'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {developmentPython} from '../../scripts/development-python.mjs'
import {type Manifest, ofKind, render} from '../_helpers/charts.js'
import {freePort} from '../_helpers/free-port.js'
import {findPostgres, type PostgresServer, startPostgres} from '../_helpers/postgres-server.js'

const ADMIN_PASSWORD = 'long enough for it'
const SECRETS: Record<string, string> = {
  MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN_PASSWORD,
  MLFLOW_FLASK_SERVER_SECRET_KEY: 'k',
}

// What the chart renders is run as it stands, on this machine: command, arguments, variables, configuration.
describe.skipIf(!findPostgres())('the containers of the chart mlflow, on a PostgreSQL', () => {
  let folder: string
  let postgres: PostgresServer
  let server: ChildProcess
  let port: number
  let manifests: Manifest[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlv-chart-'))
    postgres = await startPostgres()
    const place = [`port=${postgres.port}`, 'host=127.0.0.1', 'sslMode=disable', 'caConfigMap=']
    const changes = place.map(one => `postgresql.${one}`)
    const step = render('mlflow', 'postgresql', [...changes, 'migration.enabled=true'])
    await writeConfig(ofKind(step, 'ConfigMap'))
    // Twice: the second finds everything made.
    for (const _ of [1, 2]) {
      const [file = '', args, env] = programOf(ofKind(step, 'Job'))
      const {status, stderr} = spawnSync(file, args, {cwd: folder, encoding: 'utf8', env})
      expect(status, stderr).toBe(0)
    }
    manifests = render('mlflow', 'postgresql', changes)
    const [file = '', args, env] = programOf(ofKind(manifests, 'Deployment'))
    port = await freePort()
    server = spawn(
      file,
      args.map(arg => arg.replace('--port=5000', `--port=${port}`)),
      {cwd: folder, env, detached: true, stdio: 'ignore'},
    )
    await until(async () => (await status(probePath())) === 200)
  })

  afterAll(async () => {
    if (server?.pid && server.exitCode === null) {
      const ended = once(server, 'exit')
      process.kill(-server.pid, 'SIGTERM')
      await ended
    }
    await postgres?.stop()
    await rm(folder, {force: true, recursive: true})
  })

  const here = (text: string) => text.replaceAll('/etc/mlflow/config', folder)

  const writeConfig = (map: Manifest) =>
    Promise.all(Object.entries(map.data).map(([name, text]) => writeFile(join(folder, name), here(String(text)))))

  function programOf(workload: Manifest): [file: string, args: string[], env: NodeJS.ProcessEnv] {
    const {args = [], command, env} = workload.spec.template.spec.containers[0]
    const secrets = {...SECRETS, PGPASSWORD: postgres.password}
    const variables = env.map((one: Manifest) => [one.name, here(one.value ?? secrets[one.name as 'PGPASSWORD'])])
    const [file = '', ...rest] = [...command, ...args].map(here)
    const bin = dirname(developmentPython())
    return [join(bin, file), rest, {PATH: process.env.PATH, ...Object.fromEntries(variables), HOME: folder}]
  }

  const probePath = () =>
    ofKind(manifests, 'Deployment').spec.template.spec.containers[0].readinessProbe.httpGet.path as string

  /** As fetch, but with any Host, as the kubelet and every name of the service send it. */
  function status(path: string, host = '10.1.2.3:5000', auth?: string): Promise<number | undefined> {
    return new Promise(resolve => {
      const sent = request({host: '127.0.0.1', port, path, auth, headers: {host}, timeout: 30_000}, answer => {
        answer.resume()
        resolve(answer.statusCode)
      })
      sent.on('error', () => resolve(undefined))
      sent.end()
    })
  }

  const search = '/mlflow/api/2.0/mlflow/experiments/search?max_results=1'

  it('answers its probes below the prefix without a sign-in, and nothing else', async () => {
    expect(probePath()).toBe('/mlflow/health')
    expect(await status(search, '127.0.0.1:5000')).toBe(401)
    expect(await status(search, '127.0.0.1:5000', `admin:${ADMIN_PASSWORD}`)).toBe(200)
    expect(await status(search, '127.0.0.1:5000', 'admin:password1234')).toBe(401)
  })

  it('answers to every name of the service, with and without its port, to the ingress and to tunnels', async () => {
    const names = ['it-mlflow', 'it-mlflow.team', 'it-mlflow.team.svc', 'it-mlflow.team.svc.cluster.local']
    const hosts = [
      ...names.flatMap(name => [name, `${name}:5000`]),
      'mlflow.example.com',
      'localhost:41234',
      '127.0.0.1:5',
    ]
    for (const host of hosts) expect(await status(search, host, `admin:${ADMIN_PASSWORD}`), host).toBe(200)
    for (const host of ['evil.example.com', 'it-mlflow.other', 'xlocalhost:5000'])
      expect(await status(search, host, `admin:${ADMIN_PASSWORD}`), host).toBe(403)
  })

  it('keeps sign-ins in a database of their own, made by the migration', async () => {
    expect(await postgres.query('select username from users', 'mlflow_auth')).toBe('admin')
    expect(await postgres.query("select to_regclass('users') is null", 'mlflow')).toBe('t')
  })

  it('holds no more connections than its pools were sized for, however many ask', async () => {
    const asked = await Promise.all(
      Array.from({length: 60}, () => status(search, 'localhost', `admin:${ADMIN_PASSWORD}`)),
    )
    expect(asked.filter(code => code !== 200)).toEqual([])
    const used = Number(await postgres.query("select count(*) from pg_stat_activity where usename = 'mlflow'"))
    // One pod of two workers, with three pools of two, and its parent.
    expect(used).toBeLessThanOrEqual(2 * 3 * 2 + 1)
    expect(used).toBeGreaterThan(2)
  })
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 180_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('MLflow did not come up')
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}
