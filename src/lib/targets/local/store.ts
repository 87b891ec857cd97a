import {readFile, stat} from 'node:fs/promises'
import {resolve} from 'node:path'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {Secret} from '../../tools/secret.js'
import {readCredential} from './credentials.js'
import {layoutOf} from './layout.js'
import {preparePostgres} from './postgres.js'

/** Addresses of MLflow's two databases: the auth tables may not share one with the runs (both call a table alembic_version). */
export interface Store {
  readonly tracking: string
  readonly auth: string
  /** The password of a database: never part of its address, which MLflow may print. */
  readonly password: Secret | undefined
  /** For people: where the runs are. */
  readonly name: string
}

export async function storeOf(context: Context): Promise<Store> {
  const address = context.profile.settings.mlflow.store
  if (address === undefined) {
    const {authDb, trackingDb} = layoutOf(context)
    return {tracking: `sqlite:///${trackingDb}`, auth: `sqlite:///${authDb}`, password: undefined, name: trackingDb}
  }
  // The driver by name: which one SQLAlchemy takes without it depends on its version.
  const url = new URL(address.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql+psycopg2:'))
  const auth = new URL(url)
  auth.pathname = `${url.pathname}_auth`
  return {tracking: url.href, auth: auth.href, password: await storePassword(context), name: address}
}

/** What a program needs in its environment to sign in to the store; nothing that only mlv reads. */
export function storeEnvironment({password}: Store): Record<string, Secret | undefined> {
  return {
    MLV_MLFLOW_STORE_PASSWORD: undefined,
    MLV_MLFLOW_STORE_PASSWORD_FILE: undefined,
    // PostgreSQL's own library reads it, in every process of MLflow.
    ...(password && {PGPASSWORD: password}),
  }
}

async function storePassword({environment, projectDir}: Context): Promise<Secret | undefined> {
  if (environment.MLV_MLFLOW_STORE_PASSWORD) return new Secret(environment.MLV_MLFLOW_STORE_PASSWORD)
  if (!environment.MLV_MLFLOW_STORE_PASSWORD_FILE) return undefined
  const file = resolve(projectDir, environment.MLV_MLFLOW_STORE_PASSWORD_FILE)
  const shown = JSON.stringify(file)
  try {
    const {mode} = await stat(file)
    if ((mode & 0o077) === 0) return new Secret((await readFile(file, 'utf8')).replace(/\r?\n$/, ''))
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    const what = `The file of the store's password, ${file}, cannot be read (${code}).`
    throw new MlvError('MLV_STORE_PASSWORD_FILE', what, {cause: error, tryThis: [`ls -l ${shown}`]})
  }
  throw new MlvError('MLV_STORE_PASSWORD_FILE', `Others may read ${file}, which holds the store's password.`, {
    tryThis: [`chmod 600 ${shown}`],
  })
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

/** Makes the databases what MLflow needs: SQLite in WAL mode, PostgreSQL with a second database for sign-in. */
export async function prepareStore(context: Context, python: string, adminName: string): Promise<void> {
  if (context.profile.settings.mlflow.store === undefined) {
    const {authDb, trackingDb} = layoutOf(context)
    await context.exec.write([python, '-I', '-c', PREPARE_SQLITE, trackingDb, authDb])
    return
  }
  const [store, admin] = await Promise.all([storeOf(context), readCredential(context, adminName)])
  await preparePostgres(context, python, {...store, admin, adminName})
}
