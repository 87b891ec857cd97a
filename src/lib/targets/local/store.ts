import {readFile} from 'node:fs/promises'

import type {Context} from '../../context.js'
import {MlvError, ToolError} from '../../errors.js'
import {Secret} from '../../tools/secret.js'
import {layoutOf} from './layout.js'

/** Addresses of MLflow's two databases: the auth tables may not share one with the runs (both call a table alembic_version). */
export interface Store {
  readonly tracking: Secret
  readonly auth: Secret
  /** For people: where the runs are, without a password. */
  readonly name: string
}

export async function storeOf(context: Context): Promise<Store> {
  const address = context.profile.settings.mlflow.store
  if (address === undefined) {
    const {authDb, trackingDb} = layoutOf(context)
    return {tracking: new Secret(`sqlite:///${trackingDb}`), auth: new Secret(`sqlite:///${authDb}`), name: trackingDb}
  }
  const url = new URL(address.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:'))
  const password = await storePassword(context)
  if (password !== undefined) url.password = encodeURIComponent(password)
  const auth = new URL(url)
  auth.pathname = `${url.pathname}_auth`
  return {tracking: new Secret(url.href), auth: new Secret(auth.href), name: address}
}

async function storePassword({environment}: Context): Promise<string | undefined> {
  if (environment.MLV_MLFLOW_STORE_PASSWORD !== undefined) return environment.MLV_MLFLOW_STORE_PASSWORD
  const file = environment.MLV_MLFLOW_STORE_PASSWORD_FILE
  return file === undefined ? undefined : (await readFile(file, 'utf8')).trimEnd()
}

// WAL lets readers go on while one writes; the mode stays with the file.
const PREPARE_SQLITE = `
import os, sqlite3, sys
for path in sys.argv[1:]:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    os.chmod(path, 0o600)
`

const PREPARE_POSTGRES = `
import os, psycopg2
from urllib.parse import urlsplit
tracking, auth = os.environ["MLV_TRACKING_STORE"], os.environ["MLV_AUTH_STORE"]
psycopg2.connect(tracking, connect_timeout=10).close()
name = urlsplit(auth).path.lstrip("/")
connection = psycopg2.connect(tracking, connect_timeout=10)
connection.autocommit = True
with connection.cursor() as cursor:
    cursor.execute("select 1 from pg_database where datname = %s", (name,))
    if cursor.fetchone() is None:
        cursor.execute('create database "' + name.replace('"', '""') + '"')
connection.close()
psycopg2.connect(auth, connect_timeout=10).close()
`

/** Makes the databases what MLflow needs: SQLite in WAL mode, PostgreSQL with a second database for sign-in. */
export async function prepareStore(context: Context, python: string): Promise<void> {
  if (context.profile.settings.mlflow.store === undefined) {
    const {authDb, trackingDb} = layoutOf(context)
    await context.exec.write([python, '-I', '-c', PREPARE_SQLITE, trackingDb, authDb])
    return
  }
  const {auth, name, tracking} = await storeOf(context)
  try {
    await context.exec.write([python, '-I', '-c', PREPARE_POSTGRES], {
      env: {MLV_TRACKING_STORE: tracking, MLV_AUTH_STORE: auth},
      timeoutMs: 40_000,
    })
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    throw new MlvError('MLV_STORE', `The database ${name} cannot be used.`, {
      cause: error,
      details: error.details.slice(-2),
      tryThis: [
        'Set its password in MLV_MLFLOW_STORE_PASSWORD or the file that MLV_MLFLOW_STORE_PASSWORD_FILE names.',
        'Its user has to be allowed to make a second database, or that database (the name with _auth) has to exist.',
      ],
    })
  }
}
