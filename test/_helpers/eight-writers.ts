import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Journey} from './journey.js'
import {mlflowOf} from './journey-mlflow.js'
import {root} from './source-tree.js'

const WRITERS = 8
const SINGLES = 30
const BATCHES = 15
const BATCH = 25

/** Waits for the word, then writes as jobs do: single points to its own run, batches to one that all share. */
const WRITER = `
import os, sys
from mlvision.tracking_client import Point, TrackingClient, batch, now_ms
writer, own, shared, singles, batches, size = int(sys.argv[1]), *sys.argv[2:4], *map(int, sys.argv[4:])
client = TrackingClient.sign_in(os.environ["MLFLOW_TRACKING_URI"])
client.run(own)
print("ready", flush=True)
sys.stdin.readline()
for step in range(singles):
    client.post(batch(own, metrics=[Point("own", step, now_ms(), step)]))
    if step < batches:
        steps = range(step * size, (step + 1) * size)
        client.post(batch(shared, metrics=[Point("shared", writer, now_ms(), number) for number in steps]))
`

export interface Written {
  /** `run/key/step/value` of every point, sorted. */
  readonly sent: readonly string[]
  readonly readBack: readonly string[]
  /** What the writers had to say; nothing when all went well. */
  readonly complaints: readonly string[]
  /** Lines of the server's log about locks. */
  readonly locks: readonly string[]
}

/** Eight processes that write to the platform's MLflow at once, and all that it then has. */
export async function eightWriters(journey: Journey): Promise<Written> {
  const read = async (...path: string[]) => readFile(join(journey.stateDir, ...path), 'utf8')
  const {python} = JSON.parse(await read('environment.json'))
  const mlflow = await mlflowOf(journey)
  const {url} = mlflow
  const {username, password} = JSON.parse(await read('credentials', 'admin.json'))
  const {experiment} = await mlflow.experiments.ensure('eight writers')
  const newRun = async (name: string) => (await mlflow.runs.create({experimentId: experiment.id, name})).id
  const shared = await newRun('shared')
  const own = await Promise.all(Array.from({length: WRITERS}, (_, writer) => newRun(`writer ${writer}`)))
  const env = {
    PYTHONPATH: join(root, 'python/src'),
    MLFLOW_TRACKING_URI: url,
    MLFLOW_TRACKING_USERNAME: username,
    MLFLOW_TRACKING_PASSWORD: password,
  }
  const writers = own.map((run, writer) => {
    const argv = [writer, run, shared, SINGLES, BATCHES, BATCH].map(String)
    const child = spawn(python, ['-c', WRITER, ...argv], {env, stdio: ['pipe', 'pipe', 'pipe']})
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      complaint += text
    })
    const ended = once(child, 'close').then(([code]) => (code === 0 ? '' : `${code}: ${complaint}`))
    return {child, ready: once(child.stdout, 'data'), ended}
  })
  await Promise.all(writers.map(({ready, ended}) => Promise.race([ready, ended])))
  for (const {child} of writers) child.stdin.end('go\n')
  const complaints = (await Promise.all(writers.map(({ended}) => ended))).filter(Boolean)
  const points = async (run: string, key: string) =>
    (await mlflow.runs.metricHistory(run, key)).map(({step, value}) => `${run}/${key}/${step}/${value}`)
  const histories = await Promise.all([...own.map(run => points(run, 'own')), points(shared, 'shared')])
  return {
    sent: own
      .flatMap((run, writer) => [
        ...Array.from({length: SINGLES}, (_, step) => `${run}/own/${step}/${step}`),
        ...Array.from({length: BATCHES * BATCH}, (_, step) => `${shared}/shared/${step}/${writer}`),
      ])
      .sort(),
    readBack: histories.flat().sort(),
    complaints,
    locks: (await read('logs', 'mlflow.log')).split('\n').filter(line => /\blocked|deadlock/i.test(line)),
  }
}
