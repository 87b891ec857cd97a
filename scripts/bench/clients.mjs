import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

const {mlflowOf} = await import('../../test/_helpers/journey-mlflow.ts')

const CLIENTS = 10
const RUNS = 10
const STEPS = 20

/** Waits for the word, then makes its runs one after another, each as a trial has it. */
const CLIENT = `
import os, sys
from mlvision.tracking_client import Point, TrackingClient, batch, now_ms
client_number, runs, steps = map(int, sys.argv[1:])
client = TrackingClient.sign_in(os.environ["MLFLOW_TRACKING_URI"])
print("ready", flush=True)
sys.stdin.readline()
for number in range(runs):
    run = client.create_run("ten clients", f"{client_number}-{number}", {}).run_id
    client.post(batch(run, params={"client": str(client_number), "number": str(number)}, tags={"kind": "trial"}))
    for step in range(steps):
        client.post(batch(run, metrics=[Point(key, step + client_number, now_ms(), step) for key in ("loss", "accuracy")]))
    client.update_run(run, "FINISHED")
`

/** Ten processes make a hundred runs at once: what of them MLflow then has. */
export async function tenClients(journey, {root}) {
  const read = async (...path) => readFile(join(journey.stateDir, ...path), 'utf8')
  const {python} = JSON.parse(await read('environment.json'))
  const {password, username} = JSON.parse(await read('credentials', 'admin.json'))
  const mlflow = await mlflowOf(journey)
  const {experiment} = await mlflow.experiments.ensure('ten clients')
  const env = {
    MLFLOW_TRACKING_PASSWORD: password,
    MLFLOW_TRACKING_URI: mlflow.url,
    MLFLOW_TRACKING_USERNAME: username,
    PYTHONPATH: join(root, 'python/src'),
  }
  const clients = Array.from({length: CLIENTS}, (_, number) => {
    const argv = ['-c', CLIENT, ...[number, RUNS, STEPS].map(String)]
    const child = spawn(python, argv, {env, stdio: ['pipe', 'pipe', 'pipe']})
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      complaint += text
    })
    const ended = once(child, 'close').then(([code]) => (code === 0 ? '' : `${code}: ${complaint}`))
    return {child, ended, ready: once(child.stdout, 'data')}
  })
  await Promise.all(clients.map(({ended, ready}) => Promise.race([ready, ended])))
  const began = performance.now()
  for (const {child} of clients) child.stdin.end('go\n')
  const complaints = (await Promise.all(clients.map(({ended}) => ended))).filter(Boolean)
  const seconds = (performance.now() - began) / 1000
  const runs = await mlflow.runs.search({experimentIds: [experiment.id]})
  const lost = []
  const names = new Set(runs.map(({params}) => `${params.client}-${params.number}`))
  for (let client = 0; client < CLIENTS; client += 1) {
    for (let number = 0; number < RUNS; number += 1) if (!names.has(`${client}-${number}`)) lost.push('run')
  }
  for (const {id, params, status} of runs) {
    if (status !== 'FINISHED') lost.push('status')
    for (const key of ['loss', 'accuracy']) {
      const points = new Map((await mlflow.runs.metricHistory(id, key)).map(({step, value}) => [step, value]))
      for (let step = 0; step < STEPS; step += 1) {
        if (points.get(step) !== step + Number(params.client)) lost.push('point')
      }
    }
  }
  return {complaints, isWhole: lost.length === 0 && runs.length === CLIENTS * RUNS, lost, runs: runs.length, seconds}
}
