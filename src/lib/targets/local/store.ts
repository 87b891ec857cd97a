import type {Context} from '../../context.js'
import {diskFull, MlvError, ToolError} from '../../errors.js'
import type {Secret} from '../../tools/secret.js'
import type {Credential} from '../../types/target.js'
import {storePassword} from '../store-secret.js'
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

// WAL lets readers go on while one writes; the mode stays with the file. SQLite makes no table of a migration undone: a
// first start that was cut off leaves a database that no later one can finish. It has no experiment, or no user, so
// nothing is lost with it.
const PREPARE_SQLITE = `
import os, sqlite3, sys
for path, proof in zip(sys.argv[1:], ("experiments", "users")):
    try:
        connection = sqlite3.connect(path)
        tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        made = proof in tables and connection.execute(f"select 1 from {proof} limit 1").fetchone()
        if tables and not made:
            connection.close()
            for end in ("", "-wal", "-shm", "-journal"):
                if os.path.exists(path + end):
                    os.remove(path + end)
            connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        os.chmod(path, 0o600)
    except sqlite3.Error as error:
        sys.exit(f"{path} cannot be used: {error}")
`

// MLflow reads the password that it is given only when it makes the admin.
const RESET_ADMIN = `
import os, sqlite3, sys
from werkzeug.security import generate_password_hash
connection = sqlite3.connect(sys.argv[1])
if connection.execute("select 1 from sqlite_master where name = 'users'").fetchone():
    row = (generate_password_hash(os.environ["MLV_ADMIN_PASSWORD"]), sys.argv[2])
    connection.execute("update users set password_hash = ? where username = ?", row)
    connection.commit()
`

/** Gives the admin a new password where the old one is lost: only in a database that is this profile's alone. */
export async function resetAdmin(context: Context, python: string, admin: Credential): Promise<void> {
  if (context.profile.settings.mlflow.store !== undefined) return
  const argv = [python, '-I', '-c', RESET_ADMIN, layoutOf(context).authDb, admin.username] as const
  await context.exec.write(argv, {env: {MLV_ADMIN_PASSWORD: admin.password}})
}

/** Makes the databases what MLflow needs: SQLite in WAL mode, PostgreSQL with a second database for sign-in. */
export async function prepareStore(context: Context, python: string, adminName: string): Promise<void> {
  if (context.profile.settings.mlflow.store === undefined) {
    const {authDb, trackingDb} = layoutOf(context)
    await context.exec.write([python, '-I', '-c', PREPARE_SQLITE, trackingDb, authDb]).catch(error => {
      throw error instanceof ToolError ? describeSqlite(context, error) : error
    })
    return
  }
  const [store, admin] = await Promise.all([storeOf(context), readCredential(context, adminName)])
  await preparePostgres(context, python, {...store, admin, adminName})
}

function describeSqlite(context: Context, error: ToolError): MlvError {
  const {data} = layoutOf(context)
  const words = error.stderr.trim().split('\n').at(-1) ?? ''
  if (/disk is full|No space left|disk I\/O error/.test(words)) return diskFull(data, error)
  const [file = data] = words.split(' cannot be used: ')
  return new MlvError('MLV_STORE', `The database ${words}.`, {
    cause: error,
    tryThis: [`ls -l ${JSON.stringify(data)}`, `mv ${JSON.stringify(file)} ${JSON.stringify(`${file}.damaged`)}`],
  })
}
