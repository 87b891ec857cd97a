import {execFile, spawn, spawnSync} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync} from 'node:fs'
import {appendFile, chown, mkdtemp, realpath, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'

import {freePort} from './free-port.js'

const run = promisify(execFile)

/** What breaks in shells, addresses, INI files and SQL. */
const PASSWORD = `p%40 's"/:@#?$HOMEö`
const ADMIN_PASSWORD = 'of the superuser'

export interface PostgresServer {
  /** Without a password. */
  address(database?: string): string
  readonly port: number
  /** Of the user mlflow, who owns the database mlflow and may make others. */
  readonly password: string
  /** What a query gives, a line a row, as the superuser. */
  query(sql: string, database?: string): Promise<string>
  stop(): Promise<void>
}

/** Where PostgreSQL's programs are; undefined where it is not installed. */
export function findPostgres(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map(version => join(root, version, 'bin')).find(bin => existsSync(join(bin, 'initdb')))
}

/** A server of its own, with passwords (scram), on loopback and on `more`; as the user postgres where the tests run as root. */
export async function startPostgres(more: readonly string[] = []): Promise<PostgresServer> {
  const bin = findPostgres() ?? ''
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'mlv-pg-')))
  const who = process.getuid?.() === 0 ? {uid: idOf('-u'), gid: idOf('-g')} : {}
  if (who.uid !== undefined) await chown(folder, who.uid, who.gid)
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, ADMIN_PASSWORD)
  const data = join(folder, 'data')
  const options = {cwd: folder, env: {PATH: process.env.PATH, LC_ALL: 'C.UTF-8'}, ...who}
  const authentication = ['--auth=scram-sha-256', '--username=postgres', `--pwfile=${passwordFile}`]
  await run(join(bin, 'initdb'), ['-D', data, '--encoding=UTF8', '--no-sync', ...authentication], options)
  const port = await freePort()
  const hba = more.map(() => 'host all all 10.244.0.0/16 scram-sha-256\n').join('')
  if (hba) await appendFile(join(data, 'pg_hba.conf'), hba)
  const addresses = ['127.0.0.1', ...more].join(',')
  const settings = [`port=${port}`, `listen_addresses=${addresses}`, `unix_socket_directories=${folder}`, 'fsync=off']
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap(setting => ['-c', setting])], {
    ...options,
    stdio: 'ignore',
  })
  const ended = once(server, 'exit')
  const query = async (sql: string, database = 'postgres') => {
    const place = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', database]
    const {stdout} = await run(join(bin, 'psql'), ['-XAtq', ...place, '-v', 'ON_ERROR_STOP=1', '-c', sql], {
      env: {...options.env, PGPASSWORD: ADMIN_PASSWORD},
    })
    return stdout.trimEnd()
  }
  await untilItAnswers(query)
  await query(`create role mlflow login createdb password '${PASSWORD.replaceAll("'", "''")}'`)
  await query('create database mlflow owner mlflow')
  return {
    address: (database = 'mlflow') => `postgresql://mlflow@127.0.0.1:${port}/${database}`,
    port,
    password: PASSWORD,
    query,
    async stop() {
      server.kill('SIGINT')
      await ended
      await rm(folder, {force: true, recursive: true})
    },
  }
}

function idOf(flag: '-g' | '-u'): number {
  return Number(spawnSync('id', [flag, 'postgres'], {encoding: 'utf8'}).stdout)
}

async function untilItAnswers(query: (sql: string) => Promise<string>): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      await query('select 1')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}
