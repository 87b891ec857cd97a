import {randomBytes} from 'node:crypto'

import {createMlflowClient, type MlflowClient} from '../../mlflow/client.js'
import type {Experiment} from '../../mlflow/experiments.js'
import type {HttpOptions} from '../../mlflow/http.js'
import {isMissing} from '../../mlflow/mlflow-error.js'
import {Secret} from '../../tools/secret.js'
import type {Credential} from '../../types/target.js'
import type {Bench} from '../canary.js'

/** MLflow as the profile's own user, its requests ended by the canary's deadline. */
export async function adminOf(bench: Bench): Promise<MlflowClient> {
  return createMlflowClient(await bench.connection.mlflow(), clientOptions(bench))
}

export function clientOptions({context, signal: own}: Bench, signal: AbortSignal = own): HttpOptions {
  return {signal, command: line => context.command(line)}
}

/** The experiment that the canaries of one verification share. */
export function sharedExperiment(bench: Bench): Promise<Experiment> {
  return bench.share('experiment', () => temporaryExperiment(bench, bench.name))
}

/** Makes an experiment whose runs and files are gone at the end of the verification. */
export async function temporaryExperiment(bench: Bench, name: string): Promise<Experiment> {
  const client = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, bench.context.signal))
  bench.traces.add(`the experiment ${name}`, signal => removeExperiment(bench, name, signal))
  const {experiment} = await client.experiments.ensure(name)
  return experiment
}

/** Makes a user with a password that nobody else knows; gone at the end of the verification. */
export async function temporaryUser(bench: Bench, username: string): Promise<Credential> {
  const password = new Secret(randomBytes(24).toString('base64url'))
  bench.traces.add(`the user ${username}`, async signal => {
    const client = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, signal))
    if (await client.users.get(username)) await client.users.delete(username)
  })
  await (await adminOf(bench)).users.create(username, password)
  return {username, password}
}

async function removeExperiment(bench: Bench, name: string, signal: AbortSignal): Promise<void> {
  const client = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, signal))
  const experiment = await client.experiments.getByName(name)
  if (experiment?.stage !== 'active') return
  const runs = await client.runs.search({experimentIds: [experiment.id]})
  await Promise.all(runs.map(run => client.runs.delete(run.id)))
  await client.experiments.delete(experiment.id)
  // MLflow keeps the files of what is deleted.
  await client.artifacts.remove(experiment.artifactUri).catch(error => {
    if (!isMissing(error)) throw error
  })
}
