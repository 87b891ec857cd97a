import {relative} from 'node:path'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {train} from '../jobs/train.js'
import {createMlflowClient, runUrl} from '../mlflow/client.js'
import {resolveTarget} from '../targets/resolve.js'
import type {Connection} from '../types/target.js'
import type {CanaryId, VerifyResult} from '../verify/canary.js'
import {proveProfile} from '../verify/run.js'
import {setUp} from './setup.js'

export interface QuickstartOptions {
  readonly context: Context
  /** Train again though there is a quickstart run already. */
  readonly again: boolean
}

export interface QuickstartResult {
  readonly profile: string
  /** True where an earlier quickstart's run is shown instead of a new one. */
  readonly reused: boolean
  readonly seconds: number
  readonly run: {readonly id: string; readonly name: string; readonly url: string}
  readonly metrics: {readonly test_accuracy: number}
  readonly verified: VerifyResult
  readonly sign_in: {readonly url: string; readonly username: string; readonly password_file: string | null}
}

const TEMPLATE = 'digits'
const TAG = 'mlv.quickstart'
const LEAST_ACCURACY = 0.97
// The job of the canaries takes longer than everything else here; a second quickstart has nothing new to prove by it.
const SLOW: readonly CanaryId[] = ['ray-job', 'model', 'scaling', 'network-policy']

/** From nothing to a trained and tracked model. What is there already is taken as it is. */
export async function quickstart({again, context}: QuickstartOptions): Promise<QuickstartResult> {
  const began = performance.now()
  const {verified: provenBySetup} = await setUp({context})
  const target = await resolveTarget(context)
  const connection = target.connect(context)
  try {
    const earlier = again ? undefined : await findEarlier(context, connection)
    const found = earlier ?? (await trainNow(context, connection))
    const accuracy = found.accuracy
    if (!(accuracy >= LEAST_ACCURACY)) throw inaccurate(context, found)
    const without = earlier ? SLOW : undefined
    const verified = provenBySetup ?? (await proveProfile({context, connection, scope: 'all', without}))
    const {passwordFile, url, username} = await connection.mlflow()
    const file = passwordFile === undefined ? null : relative(context.cwd, passwordFile)
    return {
      profile: context.profile.name,
      reused: earlier !== undefined,
      seconds: Math.round(performance.now() - began) / 1000,
      run: {id: found.id, name: found.name, url: found.url},
      metrics: {test_accuracy: accuracy},
      verified,
      sign_in: {url, username, password_file: file},
    }
  } finally {
    await connection.close()
  }
}

interface TrainedRun {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly accuracy: number
}

async function findEarlier(context: Context, connection: Connection): Promise<TrainedRun | undefined> {
  const endpoint = await connection.mlflow()
  const client = createMlflowClient(endpoint, context)
  const experiment = await client.experiments.getByName(TEMPLATE)
  if (experiment?.stage !== 'active') return undefined
  const [run] = await client.runs.search({
    experimentIds: [experiment.id],
    filter: `tags.\`${TAG}\` = 'true' and attributes.status = 'FINISHED' and metrics.test_accuracy >= ${LEAST_ACCURACY}`,
    orderBy: ['attributes.start_time DESC'],
    limit: 1,
  })
  if (run === undefined) return undefined
  const url = runUrl(endpoint.url, run.experimentId, run.id)
  return {id: run.id, name: run.name, url, accuracy: run.metrics.test_accuracy ?? Number.NaN}
}

async function trainNow(context: Context, connection: Connection): Promise<TrainedRun> {
  const request = {template: TEMPLATE, register: TEMPLATE, words: ['mlv', 'quickstart']}
  const {error, result} = await train(context, request, {isDetached: false})
  if (error) throw error
  const client = createMlflowClient(await connection.mlflow(), context)
  await client.runs.setTag(result.run.id, TAG, 'true')
  const accuracy = result.metrics.test_accuracy ?? Number.NaN
  return {id: result.run.id, name: result.job.name, url: result.run.url, accuracy}
}

function inaccurate({command}: Context, {accuracy, name, url}: TrainedRun): MlvError {
  const reached = Number.isNaN(accuracy) ? 'no test accuracy' : `a test accuracy of ${percent(accuracy)}`
  return new MlvError(
    'MLV_QUICKSTART_ACCURACY',
    `${name} reached ${reached}; ${percent(LEAST_ACCURACY)} is expected.`,
    {
      details: [url],
      tryThis: [command(`jobs logs ${name}`), command('quickstart --again'), command('doctor')],
    },
  )
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
