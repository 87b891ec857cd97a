import {randomBytes} from 'node:crypto'

import {MlvError} from '../../errors.js'
import {createMlflowClient, type MlflowClient} from '../../mlflow/client.js'
import {MlflowError} from '../../mlflow/mlflow-error.js'
import {Secret} from '../../tools/secret.js'
import type {Bench, Canary} from '../canary.js'
import {adminOf, clientOptions, sharedExperiment, temporaryExperiment} from './bench-experiment.js'

const ARTIFACT_BYTES = 64 * 1024
// What shells, YAML and SQL would each change if they came near it.
const AWKWARD = `it's "quoted": {a: 1} $HOME \\n — 안녕`

/** What is logged can be read again. */
export const tracking: Canary = {
  id: 'tracking',
  title: 'A run with its metric and its file comes back from MLflow',
  scope: 'core',
  deadlineSeconds: 60,
  async run(bench) {
    const experiment = await sharedExperiment(bench)
    return roundTrip(await adminOf(bench), experiment.id, bench)
  },
}

/** Jobs sign in as a user of their own, which gets in where it has a grant and nowhere else. */
export const jobsUser: Canary = {
  id: 'jobs-user',
  title: 'The user of the jobs may write where it is granted, and nowhere else',
  scope: 'core',
  deadlineSeconds: 60,
  async run(bench) {
    const admin = await adminOf(bench)
    const jobs = createMlflowClient(await jobsEndpoint(bench), clientOptions(bench))
    const {id} = await temporaryExperiment(bench, `${bench.name}-granted`)
    await mustBeDenied(bench, `${jobs.username} may make runs where nobody granted it`, () =>
      jobs.runs.create({experimentId: id, name: bench.name}),
    )
    bench.traces.add(`the user ${bench.name}`, async signal => {
      const client = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, signal))
      if (await client.users.get(bench.name)) await client.users.delete(bench.name)
    })
    await mustBeDenied(bench, `${jobs.username} may make users`, () =>
      jobs.users.create(bench.name, new Secret(randomBytes(16).toString('hex'))),
    )
    bench.traces.add(`the grant of ${jobs.username} on ${bench.name}-granted`, async signal => {
      const client = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, signal))
      await client.users.revoke(jobs.username, 'experiment', id)
    })
    await admin.users.grant(jobs.username, 'experiment', id, 'EDIT')
    return `${jobs.username}: refused before its grant, then ${await roundTrip(jobs, id, bench)}`
  },
}

async function roundTrip(client: MlflowClient, experimentId: string, bench: Bench): Promise<string> {
  const began = performance.now()
  const run = await client.runs.create({experimentId, name: bench.name})
  const content = new Uint8Array(randomBytes(ARTIFACT_BYTES))
  const metrics = [0.25, 0.5].map((value, step) => ({key: 'canary', value, step, timestamp: Date.now()}))
  await Promise.all([
    client.runs.logBatch(run.id, {metrics, params: {awkward: AWKWARD}}),
    client.artifacts.upload(run.artifactUri, 'canary/probe.bin', content),
  ])
  await client.runs.update(run.id, {status: 'FINISHED', endTime: Date.now()})
  const [back, history, file] = await Promise.all([
    client.runs.get(run.id),
    client.runs.metricHistory(run.id, 'canary'),
    client.artifacts.read(run.artifactUri, 'canary/probe.bin'),
  ])
  const seen = history.map(point => point.value)
  const same =
    back.status === 'FINISHED' &&
    back.params.awkward === AWKWARD &&
    seen.join() === '0.25,0.5' &&
    Buffer.from(file).equals(Buffer.from(content))
  if (!same) throw failure(bench, 'MLflow gives back a run that differs from what was logged.')
  return `2 metric points, 1 parameter and 64 KiB written and read in ${Math.round(performance.now() - began)} ms`
}

export async function mustBeDenied(bench: Bench, otherwise: string, attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof MlflowError && error.status === 403) return
    throw error
  }
  throw failure(bench, `${otherwise}; it must be refused.`)
}

function failure(bench: Bench, message: string): MlvError {
  const {command} = bench.context
  return new MlvError('MLV_VERIFY_CANARY', message, {tryThis: [command('setup --from 03'), command('logs mlflow')]})
}

async function jobsEndpoint(bench: Bench) {
  const [{url}, user] = await Promise.all([bench.connection.mlflow(), bench.connection.jobsUser()])
  return {url, ...user}
}
