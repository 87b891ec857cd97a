import {formatArgv} from '../tools/exec.js'
import type {Connection} from '../types/target.js'

export interface ClientVariables {
  /** What a program is given: MLflow's tracking URI, Ray's address. */
  readonly url: string
  /** Lines for a shell. Passwords and tokens are read when it runs them, and stand in none of them. */
  readonly lines: readonly string[]
  readonly isTunnel: boolean
}

/** What MLflow's client reads from its environment, signed in as the admin. */
export async function mlflowVariables(connection: Connection): Promise<ClientVariables> {
  const {isTunnel = false, passwordCommand, passwordFile, url, username} = await connection.mlflow()
  const password = passwordCommand ?? `sed 's/.*"password": *"//; s/".*//' ${formatArgv([passwordFile ?? ''])}`
  return {
    url,
    isTunnel,
    lines: [
      `export MLFLOW_TRACKING_URI=${url}`,
      `export MLFLOW_TRACKING_USERNAME=${formatArgv([username])}`,
      `export MLFLOW_TRACKING_PASSWORD="$(${password})"`,
    ],
  }
}

/** What `ray.init()` reads from its environment. */
export async function rayVariables(connection: Connection): Promise<ClientVariables> {
  const [{tokenCommand, tokenFile}, {address: url, isTunnel, variables = {}}] = await Promise.all([
    connection.ray(),
    connection.rayClient(),
  ])
  const token =
    tokenCommand === undefined
      ? `export RAY_AUTH_TOKEN_PATH=${formatArgv([tokenFile ?? ''])}`
      : `export RAY_AUTH_TOKEN="$(${tokenCommand})"`
  const more = Object.entries(variables).map(([name, value]) => `export ${name}=${formatArgv([value])}`)
  return {url, isTunnel, lines: [`export RAY_ADDRESS=${url}`, 'export RAY_AUTH_MODE=token', token, ...more]}
}
