import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {type Journey, startJourney} from '../_helpers/journey.js'
import {signedIn} from '../_helpers/mlflow-rest.js'

const TRIALS = 100
const NAME = 'hundred'

interface Line {
  readonly params?: Record<string, unknown>
  readonly epoch?: number
  readonly metrics?: Record<string, number>
  readonly state?: string
}

let journey: Journey

beforeAll(async () => {
  journey = await startJourney()
  const setup = await journey.mlv('setup', '--yes')
  expect({code: setup.code, stderr: setup.code === 0 ? '' : setup.stderr}).toEqual({code: 0, stderr: ''})
})

afterAll(async () => {
  await journey?.mlv('teardown', '--delete-data', '--confirm', 'local')
  await journey?.end()
})

/** What the sweep has written of each trial so far, as it lies on the disk. */
async function book(name: string): Promise<Map<number, string>> {
  const folder = join(journey.stateDir, 'data', 'checkpoints', name)
  const files = (await readdir(folder).catch(() => [])).filter(file => /^trial-\d+\.jsonl$/.test(file))
  const texts = await Promise.all(files.map(file => readFile(join(folder, file), 'utf8')))
  return new Map(files.map((file, index) => [Number(file.slice(6, 11)), texts[index] ?? '']))
}

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
const hasEnded = (text: string) => /"state": "(finished|stopped_early)"/.test(text)
const endedOf = (trials: Map<number, string>) => [...trials].filter(([, text]) => hasEnded(text))

/** Waits until so many trials have ended, then kills what the pattern names. */
async function killWhen(count: number, pattern: RegExp): Promise<Map<number, string>> {
  const deadline = Date.now() + 400_000
  while (endedOf(await book(NAME)).length < count) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${count} trials.`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const victims = (await journey.processes()).filter(({command}) => pattern.test(command))
  expect(victims).not.toEqual([])
  for (const {pid} of victims) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // One that the death before it has taken along.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return new Map(endedOf(await book(NAME)))
}

describe('a sweep of a hundred trials', () => {
  it('is finished once, however often its driver or Ray is killed on the way', async () => {
    const resume = async () => {
      const {code, stderr} = await journey.mlv('tune', 'resume', NAME, '-d')
      expect({code, stderr: code === 0 ? '' : stderr}).toEqual({code: 0, stderr: ''})
    }
    const wishes = ['--algorithm', 'random', '--epochs', '3', '--name', NAME, '-d']
    const began = await journey.mlv('tune', 'digits-sweep', '--trials', String(TRIALS), ...wishes)
    expect({code: began.code, stderr: began.stderr}).toMatchObject({code: 0})
    const driver = /mlvision\.entry\.driver/
    const atFirst = await killWhen(10, driver)
    expect((await journey.mlv('jobs', 'wait', NAME)).code).toBe(100)
    await resume()
    const atSecond = await killWhen(40, /raylet|gcs_server|ray_head|mlvision\.entry\.driver/)
    expect(await journey.mlv('setup', '--yes')).toMatchObject({code: 0})
    await resume()
    const atThird = await killWhen(70, driver)
    expect((await journey.mlv('jobs', 'wait', NAME)).code).toBe(100)
    const last = await journey.mlv('tune', 'resume', NAME, '--json')
    expect({code: last.code, stderr: last.code === 0 ? '' : last.stderr}).toEqual({code: 0, stderr: ''})
    expect(JSON.parse(last.stdout).sweep).toMatchObject({trials: TRIALS, counts: {failed: 0, interrupted: 0}})

    const trials = await book(NAME)
    expect([...trials.keys()].sort((a, b) => a - b)).toEqual(Array.from({length: TRIALS}, (_, index) => index))
    // What had ended before a kill was not touched again: not a byte of its record has changed.
    for (const before of [atFirst, atSecond, atThird]) {
      for (const [number, text] of before) expect(trials.get(number)).toBe(text)
    }
    for (const text of trials.values()) {
      expect(hasEnded(text)).toBe(true)
      const epochs = linesOf(text).flatMap(({epoch}) => epoch ?? [])
      expect(epochs).toEqual(Array.from({length: epochs.length}, (_, index) => index + 1))
    }
  }, 900_000)

  it('has one run for each trial in MLflow, with every number of its record', async () => {
    const {call, history} = await signedIn(journey)
    const shown = JSON.parse((await journey.mlv('jobs', 'show', NAME, '--json')).stdout)
    const {runs} = await call('runs/search', {
      experiment_ids: [shown.run.experiment_id],
      filter: `tags.\`mlflow.parentRunId\` = '${shown.run.id}'`,
      max_results: 1000,
    })
    const tagOf = (run: {data: {tags: {key: string; value: string}[]}}, key: string) =>
      run.data.tags.find(tag => tag.key === key)?.value
    const numbers = runs.map((run: never) => Number(tagOf(run, 'mlv.trial.number')))
    expect(numbers.toSorted((a: number, b: number) => a - b)).toEqual(Array.from({length: TRIALS}, (_, i) => i))
    const trials = await book(NAME)
    for (const run of runs) {
      const lines = linesOf(trials.get(Number(tagOf(run, 'mlv.trial.number'))) ?? '')
      expect(run.info.status).toBe('FINISHED')
      expect(tagOf(run, 'mlv.trial.state')).toBe(lines.at(-1)?.state)
      const {params = {}} = lines.find(line => line.params) ?? {}
      const kept = Object.fromEntries(run.data.params.map(({key, value}: {key: string; value: string}) => [key, value]))
      for (const [name, value] of Object.entries(params)) {
        expect(typeof value === 'number' ? Number(kept[name]) : kept[name]).toBe(value)
      }
      const expected = lines.flatMap(({epoch, metrics}) => (epoch && metrics ? [[epoch, metrics.val_loss]] : []))
      expect(await history(run.info.run_id, 'val_loss')).toEqual(expected)
    }
    const files = await call(`artifacts/list?run_id=${shown.run.id}&path=sweep`)
    expect(files.files.map(({path}: {path: string}) => path.slice('sweep/'.length)).sort()).toEqual([
      'best-params.yaml',
      'optimization_history.png',
      'parallel_coordinates.png',
      'param_importances.png',
      'trials.csv',
    ])
  })

  it('ends with a line that can be pasted, and trains with every digit of the best parameters', async () => {
    const log = (await journey.mlv('jobs', 'wait', NAME)).stdout
    const [, download, argv] = /(jobs logs .*) && \S+(?: mlv)? (train .*)/.exec(log) ?? []
    expect({log, download, argv}).toMatchObject({download: `jobs logs ${NAME} --download ${NAME}`})
    expect((await journey.mlv(...String(download).split(' '))).code).toBe(0)
    const dry = await journey.mlv(...String(argv).split(' '), '--dry-run', '--json')
    expect({code: dry.code, stderr: dry.stderr}).toMatchObject({code: 0})
    const spec = JSON.parse(JSON.parse(dry.stdout).submission.runtime_env.env_vars.MLV_JOB_SPEC)
    const {best} = JSON.parse((await journey.mlv('jobs', 'wait', NAME, '--json')).stdout).sweep
    const flat = Object.fromEntries(inner(spec.work.config, ''))
    expect(flat).toMatchObject({epochs: 3, ...best.params})
  })
})

function inner(value: object, above: string): [string, unknown][] {
  return Object.entries(value).flatMap(([key, one]) =>
    typeof one === 'object' && one !== null ? inner(one, `${above}${key}.`) : [[`${above}${key}`, one]],
  )
}

describe('what cannot be', () => {
  it('is said at once, or after the first report', async () => {
    const gpus = await journey.mlv('tune', 'digits-sweep', '--gpus', '0.5')
    expect(gpus).toMatchObject({code: 1, stderr: expect.stringContaining('Each trial asks for 0.5 GPUs')})
    const metric = await journey.mlv('tune', 'digits-sweep', '--metric', 'f1', '--json')
    expect(metric.code).toBe(100)
    const {job} = JSON.parse(metric.stdout)
    expect(job.reason).toContain('the trials do not report f1; they report')
    // A resume would only fail again.
    const {stderr} = await journey.mlv('jobs', 'wait', job.name)
    expect(stderr).toContain('tune digits-sweep --metric val_accuracy --mode max')
    expect(stderr).not.toContain('tune resume')
    const again = await journey.mlv('jobs', 'logs', job.name, '--raw')
    expect(again.stdout.match(/"epoch":[1-9]/g) ?? []).toHaveLength(0)
    const train = await journey.mlv('train', 'digits-sweep')
    expect(train).toMatchObject({code: 2, stderr: expect.stringMatching(/made for `\S+mlv\S* tune`/)})
  })
})
