import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../../context.js'
import {describeFileError} from '../../errors.js'
import {diskSpace, rayFullShare} from '../../tools/disk-space.js'
import {formatArgv} from '../../tools/exec.js'
import {statusOf} from '../../tools/http.js'
import type {Phase, PhaseState, Step, StepProgress} from '../../types/phase.js'
import {RAY_TOKEN} from './02-cluster.js'
import {bucketStep, bucketVariables, isBucket} from './bucket.js'
import {readKey, readOrMakeKey} from './credentials.js'
import {jobPython, readEnvironmentRecord} from './environment.js'
import {layoutOf} from './layout.js'
import {onFreePorts, readPorts} from './ports.js'
import {configDigest, livingService, startService, stopService} from './service.js'

// A cold start on two slow cores takes 15 s.
const START_DEADLINE_SECONDS = 120
// Tensors live in the workers; the store only carries small objects between them.
const OBJECT_STORE_BYTES = 256 * 1024 * 1024
/** How long a stopped job may take to write its last checkpoint. */
const JOB_STOP_SECONDS = 30

/**
 * On Linux Ray takes 127.0.0.1 for the machine's outer address, and half of its ports listen on all of them. As on macOS,
 * where it makes no clusters of machines, it stays on loopback; whoever connects has to say the same.
 */
export const STAY_ON_LOOPBACK = {RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER: '0'} as const

/** A Ray head with token auth, on loopback. */
export const rayPhase: Phase = {
  id: '07-ray',
  needs: ['02-cluster'],
  summary: 'Start the Ray head with token auth',
  status: rayState,
  apply: async context => [
    ...storageSteps(context),
    {
      id: 'start',
      title: 'Starting the Ray head',
      plan: [
        formatArgv([
          'ray',
          ...rayArguments(context, {dashboard: 8265, gcs: 6379, ...(await readPorts(context))}).slice(1),
        ]),
      ],
      run: progress => startRay(context, progress),
    },
  ],
  async destroy(context) {
    return [
      {
        id: 'stop',
        title: 'Stopping the Ray head',
        async run() {
          await stopService(context, 'ray')
          await rm(layoutOf(context).rayTemp, {recursive: true, force: true})
        },
      },
    ]
  },
}

export async function rayUrl(context: Context): Promise<string | undefined> {
  const ports = await readPorts(context)
  return ports && `http://127.0.0.1:${ports.ray}`
}

async function rayState(context: Context): Promise<PhaseState> {
  const [living, url, token] = await Promise.all([
    livingService(context, 'ray'),
    rayUrl(context),
    readKey(context, RAY_TOKEN),
  ])
  if (!living || !url) return {kind: 'absent'}
  if (living.config !== (await rayConfig(context))) return {kind: 'drifted', why: 'its settings have changed'}
  if (!token || !(await isRayUp(url, token.reveal()))) return {kind: 'drifted', why: 'the head does not answer'}
  return {kind: 'ready', detail: url}
}

// Longer than one would think: for a head that is taken for gone a new one is started, which ends every job.
const ANSWER_DEADLINE_MS = 15_000

/** The Jobs API answers only once the dashboard's agent is there: the version alone would be too early. */
export async function isRayUp(url: string, token: string): Promise<boolean> {
  const headers = {authorization: `Bearer ${token}`}
  return (await statusOf(`${url}/api/jobs/`, {headers, timeoutMs: ANSWER_DEADLINE_MS})) === 200
}

async function rayConfig(context: Context): Promise<string> {
  const [ports, environment, token] = await Promise.all([
    readPorts(context),
    readEnvironmentRecord(context),
    readKey(context, RAY_TOKEN),
  ])
  return configDigest([
    rayArguments(context, {dashboard: ports?.ray ?? 0, gcs: ports?.gcs ?? 0}),
    environment?.python,
    token?.reveal(),
    bucketVariables(context, layoutOf(context).storage),
  ])
}

function rayArguments(context: Context, {dashboard, gcs}: {dashboard: number; gcs: number}): string[] {
  const {cpus, gpus} = context.profile.settings.ray
  return [
    join(context.packageDir, 'python/ray_head.py'),
    'start',
    '--head',
    '--block',
    '--node-ip-address=127.0.0.1',
    `--port=${gcs}`,
    '--dashboard-host=127.0.0.1',
    `--dashboard-port=${dashboard}`,
    '--include-dashboard=true',
    // Any free one: with the fixed default a second head on this machine has no agent, and takes no jobs.
    '--dashboard-agent-listen-port=0',
    `--object-store-memory=${OBJECT_STORE_BYTES}`,
    // Ray opens this folder to everyone; the one around it stays ours.
    `--temp-dir=${join(layoutOf(context).rayTemp, 'ray')}`,
    '--disable-usage-stats',
    ...(cpus === undefined ? [] : [`--num-cpus=${cpus}`]),
    ...(gpus === undefined ? [] : [`--num-gpus=${gpus}`]),
  ]
}

function storageSteps(context: Context): Step[] {
  const {storage} = layoutOf(context)
  return isBucket(storage) ? [bucketStep(context, storage, () => jobPython(context))] : []
}

async function startRay(context: Context, progress: StepProgress): Promise<void> {
  const python = await jobPython(context)
  const token = await readOrMakeKey(context, RAY_TOKEN)
  const layout = layoutOf(context)
  await stopService(context, 'ray')
  await rm(layout.rayTemp, {recursive: true, force: true})
  await mkdir(layout.rayTemp, {recursive: true, mode: 0o700}).catch(error => {
    throw describeFileError(error, layout.rayTemp)
  })
  const fullShare = rayFullShare(await diskSpace(layout.rayTemp))
  await onFreePorts(context, 'ray', ['gcs', 'ray'], async ({gcs, ray: dashboard}) => {
    const start = {
      name: 'ray' as const,
      python,
      argv: rayArguments(context, {dashboard, gcs}),
      config: await rayConfig(context),
      deadlineSeconds: START_DEADLINE_SECONDS,
      env: {
        // Jobs write through MLflow: they have no business with its database.
        MLV_MLFLOW_STORE_PASSWORD: undefined,
        MLV_MLFLOW_STORE_PASSWORD_FILE: undefined,
        PYTHONDONTWRITEBYTECODE: undefined,
        RAY_ADDRESS: undefined,
        RAY_AUTH_MODE: 'token',
        RAY_AUTH_TOKEN: undefined,
        RAY_AUTH_TOKEN_PATH: layout.credential(RAY_TOKEN),
        ...STAY_ON_LOOPBACK,
        RAY_JOB_STOP_WAIT_TIME_S: String(JOB_STOP_SECONDS),
        RAY_USAGE_STATS_ENABLED: '0',
        // By itself Ray takes a disk of 250 GiB with 12 GiB free for full.
        RAY_local_fs_capacity_threshold: String(fullShare),
        // Ray renames its processes over their environment; without this teardown could not know them by it.
        SPT_NOENV: '1',
      },
      isUp: () => isRayUp(`http://127.0.0.1:${dashboard}`, token.reveal()),
    }
    await startService(context, start, progress)
  })
}
