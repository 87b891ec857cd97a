import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {createMlflowClient, type MlflowClient} from '../../../src/lib/mlflow/client.js'
import {Secret} from '../../../src/lib/tools/secret.js'

type Answer = 'cut' | {status: number; body: object}
let server: Server
let answers: Answer[]
let requests: string[]
let mlflow: MlflowClient

beforeEach(async () => {
  answers = []
  requests = []
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url?.split('?')[0]}`)
    const answer = answers.shift() ?? {status: 200, body: {}}
    if (answer === 'cut') request.socket.destroy()
    else response.writeHead(answer.status).end(JSON.stringify(answer.body))
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  mlflow = createMlflowClient({url, username: 'minji', password: new Secret('top secret')}, {pausesMs: [1, 1]})
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
})

describe('requests to MLflow', () => {
  it('repeats a search that was cut or met a busy server', async () => {
    answers.push('cut', {status: 503, body: {}}, {status: 200, body: {experiments: []}})
    expect(await mlflow.experiments.search()).toEqual([])
    expect(requests).toHaveLength(3)
  })

  it('sends metrics once only, because a second time could count them twice', async () => {
    answers.push('cut')
    const metrics = [{key: 'loss', value: 1, timestamp: 1, step: 1}]
    await expect(mlflow.runs.logBatch('r', {metrics})).rejects.toMatchObject({code: 'MLV_MLFLOW_UNREACHABLE'})
    expect(requests).toHaveLength(1)
  })

  it('cuts what is too much for one request into several', async () => {
    const metrics = Array.from({length: 2500}, (_, step) => ({key: 'loss', value: 1, timestamp: 1, step}))
    const tags = Object.fromEntries(Array.from({length: 150}, (_, index) => [`t${index}`, 'x']))
    await mlflow.runs.logBatch('r', {metrics, tags})
    expect(requests).toHaveLength(3)
  })

  it('pages to the end', async () => {
    const page = (id: string, next?: string) => ({
      status: 200,
      body: {experiments: [{experiment_id: id, name: id, lifecycle_stage: 'active'}], next_page_token: next},
    })
    answers.push(page('1', 'more'), page('2'))
    expect((await mlflow.experiments.search()).map(({id}) => id)).toEqual(['1', '2'])
  })

  it('names the permission that lacks, and never the password', async () => {
    answers.push({status: 403, body: {message: 'Permission denied'}})
    const error = await mlflow.runs.create({experimentId: '7', name: 'x'}).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'MLV_MLFLOW_DENIED',
      message: 'The MLflow user minji lacks the permission EDIT on experiment 7.',
    })
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('top secret')
  })

  it('says in one sentence what else can be wrong', async () => {
    const refusals = [
      [401, {message: 'no'}, 'MLV_MLFLOW_SIGN_IN'],
      [403, {message: 'Invalid Host header - possible DNS rebinding attack detected'}, 'MLV_MLFLOW_HOST'],
      [500, {message: 'sqlite3.OperationalError: database or disk is full'}, 'MLV_DISK_FULL'],
      [500, {message: '(psycopg2.OperationalError) server closed the connection'}, 'MLV_STORE_UNREACHABLE'],
      [404, {error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'No run'}, 'MLV_MLFLOW_NOT_FOUND'],
      [400, {message: 'odd'}, 'MLV_MLFLOW_REFUSED'],
    ] as const
    for (const [status, body, code] of refusals) {
      answers.push({status, body})
      await expect(mlflow.runs.get('r')).rejects.toMatchObject({code})
    }
  })

  it('reads the words that MLflow writes for numbers which JSON lacks', async () => {
    const info = {run_id: 'r', experiment_id: '1', status: 'RUNNING'}
    answers.push({status: 200, body: {run: {info, data: {metrics: [{key: 'loss', value: 'NaN', timestamp: 1}]}}}})
    expect((await mlflow.runs.get('r')).metrics.loss).toBeNaN()
  })
})
