import {type SpawnSyncReturns, spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {copyFile, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {DatabaseSync} from 'node:sqlite'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {developmentPython, findUv} from '../../scripts/development-python.mjs'
import {type Manifest, ofKind, render} from '../_helpers/charts.js'
import {findPostgres, type PostgresServer, startPostgres} from '../_helpers/postgres-server.js'
import {root} from '../_helpers/source-tree.js'

const OLD = '3.16.1'
const OLD_REVISION = 'b7e2c1a4d9f3'
const LOG = `
import sys, mlflow
assert mlflow.__version__ == "${OLD}"
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("before")
with mlflow.start_run():
    mlflow.log_metric("m", 0.5)
`

/** Databases that an MLflow works on, and how their owner asks them. */
interface Store {
  readonly tracking: string
  readonly auth: string
  readonly changes: readonly string[]
  sql(statement: string): Promise<string>
  /** What there is of the database of runs, its copies among it. */
  copies(): Promise<string[]>
  /** Sets it aside as a migration does that is then cut off. */
  setAside(): Promise<void>
}

const kinds = findPostgres() ? (['sqlite', 'postgresql'] as const) : (['sqlite'] as const)

// What the chart renders is run as it stands, on databases that the MLflow of the minor version before has made.
describe.each(kinds)('databases of the MLflow before, on %s', kind => {
  const python = developmentPython()
  let folder: string
  let postgres: PostgresServer | undefined
  let store: Store

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlv-old-'))
    postgres = kind === 'postgresql' ? await startPostgres() : undefined
    store = postgres ? postgresStore(postgres) : sqliteStore(folder)
    await postgres?.query('create database mlflow_auth owner mlflow')
    // Its code alone: what it needs is the same as for the version of today.
    const old = join(root, 'build', 'test-cache', `mlflow-${OLD}`)
    const packages = ['mlflow', 'mlflow-skinny', 'mlflow-tracing'].map(name => `${name}==${OLD}`)
    const into = ['--target', old, '--no-deps', '--python', python]
    if (!existsSync(join(old, 'mlflow')))
      good(spawnSync(findUv(python), ['pip', 'install', '--quiet', ...into, ...packages], {encoding: 'utf8'}))
    good(run(['-c', LOG, store.tracking], {PYTHONPATH: old}))
    good(run(['-m', 'mlflow.server.auth', 'db', 'upgrade', '--url', store.auth], {PYTHONPATH: old}))
  })

  afterAll(async () => {
    await postgres?.stop()
    await rm(folder, {force: true, recursive: true})
  })

  const run = (argv: readonly string[], more: NodeJS.ProcessEnv) =>
    spawnSync(python, argv, {
      cwd: folder,
      encoding: 'utf8',
      env: {...process.env, PGPASSWORD: postgres?.password, ...more},
    })

  /** The Job of the chart, on this machine. */
  async function migrate(...changes: string[]) {
    const manifests = render('mlflow', kind, [...store.changes, 'migration.enabled=true', ...changes])
    const here = (text: string) => text.replaceAll('/etc/mlflow/config', folder).replaceAll('/var/lib/mlflow', folder)
    for (const [name, text] of Object.entries(ofKind(manifests, 'ConfigMap').data))
      await writeFile(join(folder, name), here(String(text)))
    const {args, command, env} = ofKind(manifests, 'Job').spec.template.spec.containers[0]
    const variables = env.filter(({value}: Manifest) => value !== undefined)
    const [, ...argv] = [...command, ...(args ?? [])].map(here)
    return run(argv, Object.fromEntries(variables.map(({name, value}: Manifest) => [name, here(value)])))
  }

  const revision = () => store.sql('select version_num from alembic_version')
  async function expectOld() {
    expect(await revision()).toBe(OLD_REVISION)
    expect(await store.sql('select value from metrics')).toBe('0.5')
  }

  it('go back to what they were when the migration fails in the middle, which says why', async () => {
    await store.sql('create table scheduler_leases (in_the_way int)')
    const {status, stderr, stdout} = await migrate()
    expect(status, stderr).not.toBe(0)
    expect(stderr).toMatch(/scheduler_leases.* already exists/)
    expect(stdout.trim().split('\n').at(-1)).toMatch(
      /^The migration of .*mlflow\S* failed: .*scheduler_leases.* already exists/,
    )
    await expectOld()
    expect(await store.copies()).toEqual([])
    await store.sql('drop table scheduler_leases')
  })

  it('are migrated with a copy beside them, also where an attempt was cut off, and a second time changes nothing', async () => {
    await store.setAside()
    await store.sql('delete from metrics')
    await store.sql('create table half_done (way int)')
    await store.sql("update alembic_version set version_num = '75868b020152'")
    good(await migrate('migration.name=first'))
    expect(await revision()).not.toBe(OLD_REVISION)
    expect(await store.sql('select value from metrics')).toBe('0.5')
    expect(await store.copies()).toEqual(['before_first'])
    // A copy that an attempt left which changed nothing is older than what it is a copy of.
    await store.setAside()
    await store.sql('update metrics set value = 0.75')
    const {stdout} = good(await migrate('migration.name=second'))
    expect(stdout).not.toContain('set aside')
    expect(await store.copies()).toEqual(['before_first'])
    expect(await store.sql('select value from metrics')).toBe('0.75')
  })

  it('are what they were before when the copies of that name are put back', async () => {
    await store.sql('delete from metrics')
    good(await migrate('migration.name=other', 'migration.back=true'))
    expect(await store.sql('select count(*) from metrics')).toBe('0')
    good(await migrate('migration.name=first', 'migration.back=true'))
    await expectOld()
    expect(await store.copies()).toEqual([])
  })
})

function good(ended: SpawnSyncReturns<string>): SpawnSyncReturns<string> {
  expect(ended.status, ended.stderr).toBe(0)
  return ended
}

function sqliteStore(folder: string): Store {
  const file = join(folder, 'mlflow.db')
  const withDatabase = <T>(use: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(file)
    try {
      return use(database)
    } finally {
      database.close()
    }
  }
  return {
    tracking: `sqlite:///${file}`,
    auth: `sqlite:///${join(folder, 'mlflow_auth.db')}`,
    changes: [],
    sql: async statement =>
      withDatabase(database =>
        /^select/.test(statement)
          ? database
              .prepare(statement)
              .all()
              .flatMap(row => Object.values(row))
              .join('\n')
          : String(database.exec(statement)),
      ),
    copies: async () =>
      (await readdir(folder))
        .filter(name => /^mlflow\.db\.(before|migrating|copying)/.test(name))
        .map(name => name.slice('mlflow.db.'.length)),
    async setAside() {
      await this.sql('pragma wal_checkpoint(truncate)')
      await copyFile(file, `${file}.migrating`)
    },
  }
}

const withDriver = (address: string) => address.replace('postgresql:', 'postgresql+psycopg2:')

function postgresStore(postgres: PostgresServer): Store {
  const place = [`port=${postgres.port}`, 'host=127.0.0.1', 'sslMode=disable', 'caConfigMap=']
  const names = "select substr(datname, 8) from pg_database where datname ~ '^mlflow_(before|migrating)'"
  return {
    tracking: withDriver(postgres.address('mlflow')),
    auth: withDriver(postgres.address('mlflow_auth')),
    changes: place.map(one => `postgresql.${one}`),
    sql: statement => postgres.query(statement, 'mlflow'),
    copies: async () => (await postgres.query(names)).split('\n').filter(Boolean),
    async setAside() {
      await postgres.query('create database mlflow_migrating template mlflow owner mlflow')
    },
  }
}
