import type {Context} from '../../context.js'
import type {ErrorCode} from '../../error-codes.js'
import {MlvError, ToolError} from '../../errors.js'
import {passwordAdvice} from '../../profile/store-password.js'
import type {Credential} from '../../types/target.js'
import {fileOf} from './credentials.js'
import {type Store, storeEnvironment} from './store.js'

const DEADLINE_MS = 40_000
const OTHER_ADMIN = 'other admin'

// Its words for what is wrong are PostgreSQL's own: no traceback around them.
const PREPARE = `
import os, sys
import psycopg2
from psycopg2.extensions import parse_dsn
from werkzeug.security import check_password_hash
# PostgreSQL's own library knows no drivers.
tracking, auth = (address.replace("+psycopg2:", ":", 1) for address in sys.argv[1:3])
admin, other_admin = sys.argv[3:]
def connect(address):
    connection = psycopg2.connect(address, connect_timeout=10)
    connection.autocommit = True
    return connection
try:
    name = parse_dsn(auth)["dbname"]
    with connect(tracking).cursor() as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute('create database "' + name.replace('"', '""') + '"')
    with connect(auth).cursor() as cursor:
        cursor.execute("select to_regclass('users') is not null")
        if cursor.fetchone()[0]:
            cursor.execute("select password_hash from users where username = %s", (admin,))
            row = cursor.fetchone()
            if row and not check_password_hash(row[0], os.environ.get("MLV_ADMIN_PASSWORD", "")):
                print(other_admin)
except psycopg2.Error as error:
    sys.exit(str(error).strip())
`

interface Prepared extends Store {
  readonly adminName: string
  /** The one that the profile knows. */
  readonly admin: Credential | undefined
}

/** Proves that the database lets us in, and makes the second one, for sign-in, beside it. */
export async function preparePostgres(context: Context, python: string, store: Prepared): Promise<void> {
  const {admin, adminName, auth, tracking} = store
  try {
    const {stdout} = await context.exec.write([python, '-I', '-c', PREPARE, tracking, auth, adminName, OTHER_ADMIN], {
      env: {...storeEnvironment(store), LC_ALL: 'C', MLV_ADMIN_PASSWORD: admin?.password},
      timeoutMs: DEADLINE_MS,
    })
    if (stdout.trim() === OTHER_ADMIN) throw otherAdminError(context, store)
  } catch (error) {
    throw error instanceof ToolError ? describeRefusal(context, store, error) : error
  }
}

interface Place {
  readonly server: string
  /** For the command lines of PostgreSQL's own programs. */
  readonly flags: string
  readonly user: string
  readonly database: string
}

function placeOf(context: Context, address: string): Place {
  const {hostname, pathname, port, username} = new URL(address)
  const host = decodeURIComponent(hostname) || 'this machine'
  return {
    server: `${host}:${port || 5432}`,
    flags: `${hostname ? `-h ${host} ` : ''}-p ${port || 5432}`,
    user: decodeURIComponent(username) || (context.environment.PGUSER ?? context.user),
    database: decodeURIComponent(pathname.slice(1)),
  }
}

/** PostgreSQL's words as one of ours. Where the server speaks another language, its own words stand below. */
function describeRefusal(context: Context, store: Store, error: ToolError): MlvError {
  const {database, flags, server, user} = placeOf(context, store.tracking)
  const auth = placeOf(context, store.auth).database
  const missing = /database "(.+?)" does not exist/.exec(error.stderr)?.[1]
  const cases: readonly [RegExp, ErrorCode, string, readonly string[]][] = [
    [
      /no password supplied/,
      'MLV_STORE_SIGN_IN',
      `PostgreSQL at ${server} wants a password for ${user}, and none is set.`,
      passwordAdvice.map(advice => advice.replace(/^Or put/, 'Put')),
    ],
    [
      /authentication failed|role ".*" does not exist|no pg_hba\.conf entry|not permitted to log in/,
      'MLV_STORE_SIGN_IN',
      `PostgreSQL at ${server} does not let ${user} in.`,
      [`psql ${flags} -U ${user} -d ${database}`, 'Change MLV_MLFLOW_STORE_PASSWORD, or the file of the password.'],
    ],
    [
      /database ".*" does not exist/,
      'MLV_STORE_MISSING',
      `There is no database ${missing ?? database} at ${server}.`,
      [`createdb ${flags} -U ${user} ${missing ?? database}`, 'Change mlflow.store in mlv.yaml.'],
    ],
    [
      /permission denied to create database/,
      'MLV_STORE_MISSING',
      `There is no database ${auth} at ${server} for sign-in, and ${user} may not make it.`,
      [`createdb ${flags} -U postgres -O ${user} ${auth}`],
    ],
    [
      /refused|timeout expired|timed out|could not translate|unreachable|no route to host|is the server running|starting up|shutting down/i,
      'MLV_STORE_UNREACHABLE',
      `PostgreSQL does not answer at ${server}.`,
      [`pg_isready ${flags}`, 'Start it, or change mlflow.store in mlv.yaml.'],
    ],
  ]
  const [, code, message, tryThis] = cases.find(([words]) => words.test(error.stderr)) ?? [
    undefined,
    'MLV_STORE' as const,
    `The database ${store.name} cannot be used.`,
    [`psql ${flags} -U ${user} -d ${database}`],
  ]
  return new MlvError(code, message, {cause: error, details: error.details.slice(-2), tryThis})
}

/** MLflow takes an admin's password only for a database that has none yet. */
function otherAdminError(context: Context, store: Prepared): MlvError {
  const {database, flags, server, user} = placeOf(context, store.auth)
  const what = `The database ${database} at ${server} has a user ${store.adminName} whose password this profile does not know.`
  return new MlvError('MLV_STORE_ADMIN', what, {
    details: ['It was made by another setup. Its sign-ins hold for whoever uses that database.'],
    tryThis: [
      `Copy ${store.adminName}.json from that setup to ${fileOf(context, store.adminName)}.`,
      'Set mlflow.store in mlv.yaml to another database.',
      `If nobody needs those sign-ins, the runs stay: dropdb ${flags} -U ${user} ${database}`,
    ],
  })
}
