import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {isAbsolute, join} from 'node:path'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {JOBS_USER} from '../../types/target.js'
import {type ClusterBucket, isBucket} from './bucket.js'
import {ingressValues} from './ingress.js'
import {BUCKET_FOLDER, CLAIM_FOLDER, CREDENTIALS_FOLDER, MLFLOW_PORT, SECRETS, userSecret} from './names.js'

export type Values = Readonly<Record<string, unknown>>

const RAY_EGRESS = [443, 6443, MLFLOW_PORT]
const chartSchema = z.object({version: z.string(), appVersion: z.string()})

/** Which chart of mlv's own, and of which MLflow or Ray. */
export async function readChart({packageDir}: Context, name: 'mlflow' | 'ray-cluster') {
  const {parse} = await import('yaml')
  const folder = join(packageDir, 'charts', name)
  return {folder, ...chartSchema.parse(parse(await readFile(join(folder, 'Chart.yaml'), 'utf8')))}
}

/** Below, at or above zero, as the first is older, the same or newer. */
export function compareVersions(one: string, other: string): number {
  return one.localeCompare(other, 'en', {numeric: true})
}

/** `registry/name:tag@sha256:…` in the parts that charts take. */
export function imageValues(image: string): Values {
  const [named = '', digest = ''] = image.split('@')
  const [, repository = named, tag = ''] = /^(.+?)(?::([\w.-]+))?$/.exec(named) ?? []
  return {repository, tag, digest}
}

/** The values of charts/mlflow: the same for `status`, which compares them, and `apply`, which gives them. */
export async function mlflowValues(context: Context, bucket: ClusterBucket | undefined): Promise<Values> {
  const {charts, images, mlflow} = context.profile.settings
  const store = mlflow.store === undefined ? undefined : new URL(mlflow.store)
  const values = {
    ...(images.mlflow !== undefined && {image: imageValues(images.mlflow)}),
    auth: {existingSecret: SECRETS.mlflow},
    ...(store ? postgresValues(store) : {store: 'sqlite', autoscaling: {enabled: false}, replicas: 1}),
    ...(mlflow.artifacts !== undefined && {
      artifacts: {
        destination: mlflow.artifacts,
        ...(bucket?.region && {region: bucket.region}),
        ...(bucket?.endpointUrl && {endpointUrl: bucket.endpointUrl}),
        ...(bucket?.hasKeys && {existingSecret: SECRETS.bucket}),
      },
    }),
    networkPolicy: {egressPorts: [443, ...portOf(bucket?.endpointUrl)]},
  }
  const reached = merge(values, ingressValues(context, 'mlflow'))
  return merge(reached, await ownValues(context, 'charts.mlflowValues', charts.mlflowValues))
}

function postgresValues(store: URL): Values {
  const database = decodeURIComponent(store.pathname.slice(1))
  return {
    store: 'postgresql',
    postgresql: {
      host: store.hostname,
      port: Number(store.port || 5432),
      user: decodeURIComponent(store.username) || 'mlflow',
      database,
      authDatabase: `${database}_auth`,
      existingSecret: SECRETS.store,
      sslMode: store.searchParams.get('sslmode') ?? 'require',
    },
  }
}

/** The values of charts/ray-cluster. */
export async function rayValues(
  context: Context,
  bucket: ClusterBucket | undefined,
  operatorNamespace: string | undefined,
): Promise<Values> {
  const {charts, gpuWorkers, images, storage, workers} = context.profile.settings
  const sizes = ({cpus, memory}: typeof workers) => {
    const amount = {cpu: String(cpus), memory}
    return {requests: amount, limits: amount}
  }
  const claim = claimOf(storage)
  const hasBucket = bucket !== undefined && isBucket(storage)
  const values = {
    // The user of docker/train.Dockerfile; Ray's own image has another.
    ...(images.train !== undefined && {image: imageValues(images.train), runAsUser: 10001, runAsGroup: 10001}),
    auth: {existingSecret: SECRETS.ray},
    cpuWorkers: {
      enabled: workers.max > 0,
      minReplicas: workers.min,
      maxReplicas: workers.max,
      resources: sizes(workers),
    },
    gpuWorkers: {
      enabled: gpuWorkers.max > 0,
      minReplicas: gpuWorkers.min,
      maxReplicas: gpuWorkers.max,
      gpus: gpuWorkers.gpus,
      resources: sizes(gpuWorkers),
    },
    // A pod that runs with other settings than were asked for would be a riddle.
    upgradeStrategy: 'Recreate',
    secretMounts: [
      {name: userSecret(JOBS_USER), mountPath: CREDENTIALS_FOLDER},
      ...(hasBucket && bucket.hasKeys ? [{name: SECRETS.bucket, mountPath: BUCKET_FOLDER}] : []),
    ],
    claimMounts: claim === undefined ? [] : [{claim, mountPath: CLAIM_FOLDER}],
    env: hasBucket ? bucketEnv(bucket) : [],
    networkPolicy: {
      egressPorts: [...new Set([...RAY_EGRESS, ...portOf(bucket?.endpointUrl)])],
      ...(operatorNamespace !== undefined && {operatorNamespace}),
    },
  }
  const reached = merge(values, ingressValues(context, 'ray'))
  return merge(reached, await ownValues(context, 'charts.rayValues', charts.rayValues))
}

function bucketEnv({endpointUrl, hasKeys, region}: ClusterBucket): {name: string; value: string}[] {
  return [
    ...(hasKeys ? [{name: 'AWS_SHARED_CREDENTIALS_FILE', value: `${BUCKET_FOLDER}/credentials`}] : []),
    ...(endpointUrl ? [{name: 'AWS_ENDPOINT_URL_S3', value: endpointUrl}] : []),
    ...(region ? [{name: 'AWS_DEFAULT_REGION', value: region}] : []),
  ]
}

function portOf(address: string | undefined): number[] {
  if (address === undefined) return []
  const {port, protocol} = new URL(address)
  return [port ? Number(port) : protocol === 'http:' ? 80 : 443].filter(number => number !== 443)
}

export const claimOf = (storage: string | undefined): string | undefined =>
  storage?.startsWith('claim://') ? storage.slice('claim://'.length) : undefined

async function ownValues({projectDir}: Context, setting: string, path: string | undefined): Promise<Values> {
  if (path === undefined) return {}
  const file = isAbsolute(path) ? path : join(projectDir, path)
  const {parse} = await import('yaml')
  try {
    return z.record(z.string(), z.unknown()).parse(parse(await readFile(file, 'utf8')) ?? {})
  } catch (error) {
    throw new MlvError('MLV_SETTINGS_FILE', `${setting} names ${file}, which cannot be read as YAML of values.`, {
      cause: error,
      tryThis: [`ls -l ${JSON.stringify(file)}`],
    })
  }
}

/** Maps are merged, everything else is replaced, as Helm does with files of values. */
export function merge(below: Values, over: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const entries = Object.entries(over).map(([key, value]) => {
    const there = below[key]
    return [key, isMap(value) && isMap(there) ? merge(there, value) : value]
  })
  return {...below, ...Object.fromEntries(entries)}
}

/** Tells one set of values from another; short enough for a label. */
export function digestOfValues(version: string, values: Values): string {
  return createHash('sha256')
    .update(JSON.stringify([version, values]))
    .digest('hex')
    .slice(0, 24)
}
