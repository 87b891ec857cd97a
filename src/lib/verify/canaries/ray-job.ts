import {rm} from 'node:fs/promises'
import {isAbsolute} from 'node:path'
import {setTimeout as pause} from 'node:timers/promises'

import {MlvError} from '../../errors.js'
import {buildSubmission} from '../../jobs/build-spec.js'
import {sendOwnCode} from '../../jobs/own-code.js'
import {createRayClient, type RayClient} from '../../jobs/ray-client.js'
import {createMlflowClient} from '../../mlflow/client.js'
import type {Run} from '../../mlflow/runs.js'
import type {JobSpec} from '../../types/job.js'
import type {Bench, Canary} from '../canary.js'
import {adminOf, clientOptions, sharedExperiment} from './bench-experiment.js'
import {JOB_SCRIPT, PREDICTION} from './job-script.js'

const POLL_MS = 250
const LOG_LINES = 6
// Ray looks at its jobs once a second.
const SETTLE_MS = 1500

/** A job of the profile's own kind goes through Ray and its run lands in MLflow. */
export const rayJob: Canary = {
  id: 'ray-job',
  title: 'A job runs on Ray and its run lands in MLflow',
  scope: 'all',
  deadlineSeconds: 180,
  async run(bench) {
    const {run, seconds} = await finishedJob(bench)
    if (run.status !== 'FINISHED' || run.metrics.canary !== 0.5) {
      throw wrong(bench, `the run of the job is ${run.status} with the metrics ${JSON.stringify(run.metrics)}`)
    }
    return `finished ${seconds.toFixed(1)} s after it was submitted, its metric is in MLflow`
  },
}

/** What a job registered can be loaded in the profile's Python environment. */
export const model: Canary = {
  id: 'model',
  title: 'A model that a job registered is loaded and predicts',
  scope: 'all',
  deadlineSeconds: 180,
  async run(bench) {
    const {run} = await finishedJob(bench)
    const predicted = run.metrics.canary_prediction
    const versions = await (await adminOf(bench)).registry.searchVersions(`name = '${modelName(bench)}'`)
    if (predicted !== PREDICTION || versions.length !== 1) {
      throw wrong(bench, `the model predicts ${predicted}, not ${PREDICTION}, and has ${versions.length} versions`)
    }
    return `version ${versions[0]?.version} registered by the jobs user, loaded with mlflow.pyfunc, predicts ${predicted}`
  },
}

interface Finished {
  readonly run: Run
  readonly seconds: number
}

function finishedJob(bench: Bench): Promise<Finished> {
  return bench.share('job', () => runJob(bench))
}

async function runJob(bench: Bench): Promise<Finished> {
  const admin = await adminOf(bench)
  const [jobs, endpoint] = await Promise.all([bench.connection.jobs(), bench.connection.ray()])
  const experiment = await sharedExperiment(bench)
  bench.traces.add(`the registered model ${modelName(bench)}`, async signal => {
    const client = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, signal))
    if (await client.registry.get(modelName(bench))) await client.registry.delete(modelName(bench))
  })
  await admin.users.grant(jobs.username, 'experiment', experiment.id, 'EDIT')
  const {id} = await admin.runs.create({experimentId: experiment.id, name: bench.name})
  const storage = `${jobs.storage}/${bench.name}`
  const spec: JobSpec = {
    schema: 'mlv.job/1',
    job: {name: bench.name, submission_id: bench.name, kind: 'train', user: bench.context.user, template: null},
    // A busy Ray must not keep the proof waiting: the script needs next to nothing.
    resources: {cpus: 0.01, gpus: 0},
    retries: 0,
    tracking: {
      uri: jobs.trackingUrl,
      experiment_id: experiment.id,
      experiment_name: experiment.name,
      run_id: id,
    },
    credentials_file: jobs.credentialsFile,
    storage,
    work: {type: 'command', argv: [endpoint.python, '-c', JOB_SCRIPT, modelName(bench)]},
    register: null,
    python: null,
  }
  if (isAbsolute(storage) && !endpoint.isElsewhere)
    bench.traces.add(`the folder ${storage}`, () => rm(storage, {force: true, recursive: true}))
  const ray = createRayClient(endpoint, clientOptions(bench))
  const began = performance.now()
  bench.traces.add(`the Ray job ${bench.name}`, signal => removeJob(bench, bench.name, signal))
  try {
    const ownCode = await sendOwnCode(bench.context, ray)
    await ray.submit(buildSubmission(bench.context, spec, {ray: endpoint, workingDir: undefined, ownCode}))
    await waitForEnd(bench, ray, bench.name)
  } finally {
    ray.close()
  }
  return {run: await admin.runs.get(id), seconds: (performance.now() - began) / 1000}
}

export async function waitForEnd(bench: Bench, ray: RayClient, id: string): Promise<void> {
  for (;;) {
    const job = await ray.get(id)
    if (job?.status === 'SUCCEEDED') return
    if (job === undefined || job.status === 'FAILED' || job.status === 'STOPPED') {
      const lines = (await ray.logs(id)).trimEnd().split('\n').slice(-LOG_LINES)
      throw wrong(bench, `the job ended as ${job?.status ?? 'unknown to Ray'}: ${lines.join(' | ')}`)
    }
    await pause(POLL_MS, undefined, {signal: bench.signal})
  }
}

export async function removeJob(bench: Bench, id: string, signal: AbortSignal): Promise<void> {
  const ray = createRayClient(await bench.connection.ray(), {signal})
  try {
    const isKnown = async () => (await ray.get(id)) !== undefined
    if (!(await isKnown())) return
    await ray.stop(id)
    // Ray forgets only what has ended, and whoever looked after the job writes it down once more when it goes.
    do {
      await ray.delete(id)
      await pause(SETTLE_MS, undefined, {signal})
    } while (await isKnown())
  } finally {
    ray.close()
  }
}

function modelName(bench: Bench): string {
  return `${bench.name}-model`
}

function wrong(bench: Bench, what: string): MlvError {
  return new MlvError('MLV_VERIFY_CANARY', `${what}.`, {tryThis: [bench.context.command('logs ray')]})
}
