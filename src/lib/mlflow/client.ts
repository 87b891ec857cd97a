import {textOf} from '../tools/http.js'
import type {MlflowEndpoint} from '../types/target.js'
import {artifactsApi} from './artifacts.js'
import {experimentsApi} from './experiments.js'
import {createMlflowHttp, type HttpOptions} from './http.js'
import {registryApi} from './registry.js'
import {runsApi} from './runs.js'
import {usersApi} from './users.js'

/** A typed client of MLflow's REST API, signed in as one user. */
export interface MlflowClient {
  readonly url: string
  readonly username: string
  readonly artifacts: ReturnType<typeof artifactsApi>
  readonly experiments: ReturnType<typeof experimentsApi>
  readonly registry: ReturnType<typeof registryApi>
  readonly runs: ReturnType<typeof runsApi>
  readonly users: ReturnType<typeof usersApi>
  /** The server's version, such as 3.17.2; a request that only a signed-in user gets answered. */
  version(): Promise<string>
}

export function createMlflowClient(endpoint: MlflowEndpoint, options?: HttpOptions): MlflowClient {
  const http = createMlflowHttp(endpoint, options)
  return {
    url: endpoint.url,
    username: endpoint.username,
    artifacts: artifactsApi(http),
    experiments: experimentsApi(http),
    registry: registryApi(http),
    runs: runsApi(http),
    users: usersApi(http),
    async version() {
      const response = await http.response('GET', '/version')
      return (await textOf(response)).trim()
    },
  }
}

/** Where people look at a run. */
export function runUrl(mlflowUrl: string, experimentId: string, runId: string): string {
  return `${mlflowUrl}/#/experiments/${encodeURIComponent(experimentId)}/runs/${encodeURIComponent(runId)}`
}
