import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Journey} from './journey.js'

/** MLflow's REST interface as the administrator sees it, read past mlv's own client. */
export async function signedIn(journey: Journey) {
  const file = join(journey.stateDir, 'credentials', 'admin.json')
  const {password, username} = JSON.parse(await readFile(file, 'utf8'))
  const {services} = JSON.parse((await journey.mlv('status', '--json')).stdout)
  const url = services.find(({name}: {name: string}) => name === 'mlflow').url
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  // biome-ignore lint/suspicious/noExplicitAny: what the server answers is what the tests look at
  const call = async (path: string, body?: unknown): Promise<any> => {
    const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {authorization, 'content-type': 'application/json'},
      ...(body !== undefined && {body: JSON.stringify(body)}),
    })
    if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  /** Every stored value of a metric as [step, value], in the order of the steps. */
  const history = async (run: string, key: string): Promise<[number, number][]> => {
    const {metrics = []} = await call(`metrics/get-history?run_id=${run}&metric_key=${key}&max_results=1000`)
    return metrics
      .map(({step = 0, value = 0}: {step?: number | string; value?: number}) => [Number(step), value])
      .toSorted((a: [number, number], b: [number, number]) => a[0] - b[0])
  }
  return {call, history}
}
