import {randomBytes} from 'node:crypto'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {writeFileAtomic} from '../../tools/atomic-file.js'
import {formatArgv} from '../../tools/exec.js'
import {statusOf} from '../../tools/http.js'
import {Secret} from '../../tools/secret.js'
import type {Phase, PhaseState, Step, StepProgress} from '../../types/phase.js'
import type {Credential} from '../../types/target.js'
import {MLFLOW_KEY} from './02-cluster.js'
import {bucketStep, bucketVariables, isBucket} from './bucket.js'
import {readCredential, readOrMakeKey, saveCredential} from './credentials.js'
import {jobPython, readEnvironmentRecord} from './environment.js'
import {layoutOf} from './layout.js'
import {onFreePorts, readPorts} from './ports.js'
import {configDigest, livingService, startService, stopService} from './service.js'
import {prepareStore, resetAdmin, storeEnvironment, storeOf} from './store.js'

export const ADMIN = 'admin'

// A cold start on two slow cores takes 20 s; six times that is a failure.
const START_DEADLINE_SECONDS = 120
const STORE_DEADLINE_MS = 10_000
const AUTH_CONFIG = 'mlflow-auth.ini'

/** The MLflow server with sign-in, on loopback. */
export const mlflowPhase: Phase = {
  id: '03-mlflow',
  needs: ['02-cluster'],
  summary: 'Start the MLflow server with sign-in',
  status: mlflowState,
  apply: async context => [
    {
      id: 'store',
      title: 'Preparing the database',
      plan: [`Prepare ${(await storeOf(context)).name}`],
      async run() {
        const python = await jobPython(context)
        // One that a killed setup left behind may be in the middle of making its tables. PostgreSQL undoes what is cut off.
        if (context.profile.settings.mlflow.store === undefined) await stopService(context, 'mlflow')
        await prepareStore(context, python, ADMIN)
      },
    },
    ...artifactSteps(context),
    {
      id: 'credentials',
      title: 'Making the admin password',
      plan: [`Write a generated password into ${layoutOf(context).credential(`${ADMIN}.json`)}, for you alone`],
      run: () => makeCredentials(context),
    },
    {
      id: 'start',
      title: 'Starting the MLflow server',
      plan: [formatArgv(['mlflow', ...serverArguments(context, (await readPorts(context))?.mlflow ?? 5000).slice(2)])],
      run: progress => startMlflow(context, progress),
    },
  ],
  async destroy(context) {
    return [{id: 'stop', title: 'Stopping the MLflow server', run: () => stopService(context, 'mlflow')}]
  },
}

export async function mlflowUrl(context: Context): Promise<string | undefined> {
  const ports = await readPorts(context)
  return ports && `http://127.0.0.1:${ports.mlflow}`
}

/** A port without a server refuses at once; a machine with more to do than it can is not a server that is gone. */
const ANSWER_DEADLINE_MS = 10_000

export async function isMlflowUp(url: string): Promise<boolean> {
  return (await statusOf(`${url}/health`, {timeoutMs: ANSWER_DEADLINE_MS})) === 200
}

async function mlflowState(context: Context): Promise<PhaseState> {
  const [living, url, admin] = await Promise.all([
    livingService(context, 'mlflow'),
    mlflowUrl(context),
    readCredential(context, ADMIN),
  ])
  if (!living || !url) return admin ? {kind: 'drifted', why: 'the server is not running'} : {kind: 'absent'}
  if (!admin) return {kind: 'drifted', why: 'the admin password is lost'}
  if (living.config !== (await mlflowConfig(context))) return {kind: 'drifted', why: 'its settings have changed'}
  if (!(await isMlflowUp(url))) return {kind: 'drifted', why: 'the server does not answer'}
  if (context.profile.settings.mlflow.store !== undefined && !(await reachesStore(url, admin)))
    return {kind: 'drifted', why: 'the server does not reach its database'}
  return {kind: 'ready', detail: url}
}

/** MLflow calls itself healthy without its database. */
async function reachesStore(url: string, admin: Credential): Promise<boolean> {
  const status = await searchStatus(url, admin)
  return status !== undefined && status < 500
}

/**
 * Whether the server that answers is the one that was started here: it knows the password that was made for it, and
 * wants one. `/health` alone would believe any MLflow that took the port first.
 */
async function isOurs(url: string, admin: Credential): Promise<boolean> {
  if (!(await isMlflowUp(url))) return false
  // In this order: a server that lets everybody in is not told the password.
  if ((await searchStatus(url)) !== 401) return false
  const named = await searchStatus(url, admin)
  return named !== undefined && named !== 401
}

/** The status of a request that takes a sign-in and the database. */
async function searchStatus(url: string, user?: Credential): Promise<number | undefined> {
  const pair = user && Buffer.from(`${user.username}:${user.password.reveal()}`).toString('base64')
  return statusOf(`${url}/api/2.0/mlflow/experiments/search?max_results=1`, {
    headers: pair === undefined ? {} : {authorization: `Basic ${pair}`},
    timeoutMs: STORE_DEADLINE_MS,
  })
}

/** What makes a running server out of date. The password of a database is in it only as a digest. */
async function mlflowConfig(context: Context): Promise<string> {
  const [store, ports, environment] = await Promise.all([
    storeOf(context),
    readPorts(context),
    readEnvironmentRecord(context),
  ])
  const arguments_ = serverArguments(context, ports?.mlflow ?? 0)
  const variables = bucketVariables(context, layoutOf(context).artifacts)
  return configDigest([arguments_, environment?.python, store.tracking, store.password?.reveal(), variables])
}

function serverArguments(context: Context, port: number): string[] {
  const hosts = ['localhost', '127.0.0.1', `localhost:${port}`, `127.0.0.1:${port}`]
  const origins = [`http://localhost:${port}`, `http://127.0.0.1:${port}`]
  return [
    '-m',
    'mlflow',
    'server',
    '--app-name',
    'basic-auth',
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--workers',
    '2',
    '--serve-artifacts',
    '--artifacts-destination',
    layoutOf(context).artifacts,
    '--allowed-hosts',
    hosts.join(','),
    '--cors-allowed-origins',
    origins.join(','),
  ]
}

async function makeCredentials(context: Context): Promise<void> {
  await readOrMakeKey(context, MLFLOW_KEY)
  // MLflow asks for 12 characters at least.
  if (await readCredential(context, ADMIN)) return
  const admin = {username: ADMIN, password: new Secret(randomBytes(18).toString('base64url'))}
  // First: where a kill comes between the two, the next setup makes another one.
  await resetAdmin(context, await jobPython(context), admin)
  await saveCredential(context, admin)
}

async function startMlflow(context: Context, progress: StepProgress): Promise<void> {
  const python = await jobPython(context)
  const [store, admin, key] = await Promise.all([
    storeOf(context),
    readCredential(context, ADMIN),
    readOrMakeKey(context, MLFLOW_KEY),
  ])
  if (!admin) throw new MlvError('MLV_BUG', 'The admin password is not there although it was just written.')
  const authConfig = layoutOf(context).credential(AUTH_CONFIG)
  // ConfigParser reads % as the start of a reference.
  const lines = [
    '[mlflow]',
    'default_permission = NO_PERMISSIONS',
    `database_uri = ${store.auth.replaceAll('%', '%%')}`,
    `admin_username = ${ADMIN}`,
    // Checking a password takes 0.1 to 0.2 s of CPU by design; without this each request of a client pays it again.
    'auth_cache_ttl_seconds = 30',
  ]
  await writeFileAtomic(
    authConfig,
    `${[...lines, 'authorization_function = mlflow.server.auth:authenticate_request_basic_auth'].join('\n')}\n`,
  )
  await onFreePorts(context, 'mlflow', ['mlflow'], async port => {
    const start = {
      name: 'mlflow' as const,
      python,
      argv: serverArguments(context, port.mlflow),
      config: await mlflowConfig(context),
      deadlineSeconds: START_DEADLINE_SECONDS,
      env: {
        MLFLOW_AUTH_ADMIN_PASSWORD: admin.password,
        MLFLOW_AUTH_ADMIN_USERNAME: ADMIN,
        MLFLOW_AUTH_CONFIG_PATH: authConfig,
        MLFLOW_BACKEND_STORE_URI: store.tracking,
        MLFLOW_DISABLE_TELEMETRY: 'true',
        MLFLOW_FLASK_SERVER_SECRET_KEY: key,
        // Off: it starts a dozen processes and a second way in that mlv has no use for.
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        MLFLOW_TRACKING_URI: undefined,
        PYTHONDONTWRITEBYTECODE: undefined,
        ...storeEnvironment(store),
      },
      isUp: () => isOurs(`http://127.0.0.1:${port.mlflow}`, admin),
    }
    await startService(context, start, progress)
  })
}

function artifactSteps(context: Context): Step[] {
  const {artifacts} = layoutOf(context)
  return isBucket(artifacts) ? [bucketStep(context, artifacts, () => jobPython(context))] : []
}
