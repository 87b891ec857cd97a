import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {formatArgv} from '../tools/exec.js'
import type {Dimension, Search} from '../types/search.js'
import {formatDuration} from '../ui/duration.js'
import {buildSpec, buildSubmission} from './build-spec.js'
import {createLineReader} from './output-lines.js'
import {sendOwnCode} from './own-code.js'
import type {JobPlan} from './plan.js'
import {withPlatform} from './platform.js'
import type {RayClient} from './ray-client.js'
import {isEnded, stateOfRay} from './states.js'
import {checkFit} from './submit.js'
import {upload} from './upload-package.js'

const USUAL_TRIALS = 100
const GRID_POINTS = 5
/** What Ray Tune costs a trial beside its epochs, about, with actors that are used again on 2 cores. */
const OVERHEAD_S = 0.25
const POLL_MS = 250

/** What `mlv tune --dry-run` says. */
export interface SweepEstimate {
  readonly template: string | null
  readonly trials: number
  /** The longest that a trial may train. */
  readonly epochs: number
  /** The epochs after which trials are compared. */
  readonly rungs: readonly number[]
  /** Of all trials together, where each rung lets pass its share. */
  readonly expected_epochs: number
  readonly most_epochs: number
  /** Null where no platform runs to measure it on. */
  readonly measured: {readonly epoch_seconds: number; readonly concurrency: number} | null
  readonly expected_seconds: number | null
  readonly most_seconds: number | null
  /** Of all trials together, of the places that they keep busy; null where nothing was measured. */
  readonly busy_hours: number | null
  /** Without a price the machine is there already, whatever it costs. */
  readonly cost: {readonly amount: number | null; readonly hourly_price: number; readonly currency: 'USD'}
}

/** How long a sweep would take, from one epoch that is measured where it would run; no run is made in MLflow. */
export async function estimateSweep(
  context: Context,
  plan: JobPlan,
  hourlyPrice = 0,
): Promise<{value: SweepEstimate; text: string}> {
  const {work} = plan
  if (work.type !== 'tune') throw new Error('only a sweep has trials')
  const epochs = typeof work.trial.config.epochs === 'number' ? work.trial.config.epochs : 20
  const measured = await measure(context, plan)
  const shape = reckon(work.search, epochs)
  const duration = (count: number) =>
    measured &&
    Math.min(
      work.search.max_time ?? Number.POSITIVE_INFINITY,
      (count * measured.epoch_seconds + shape.trials * OVERHEAD_S) / measured.concurrency,
    )
  const expected = duration(shape.expected_epochs)
  const busyHours = expected === null || measured === null ? null : (expected * measured.concurrency) / 3600
  const value: SweepEstimate = {
    template: plan.template,
    ...shape,
    epochs,
    measured,
    expected_seconds: expected,
    most_seconds: duration(shape.most_epochs),
    busy_hours: busyHours,
    cost: {
      amount: hourlyPrice === 0 ? 0 : busyHours && busyHours * hourlyPrice,
      hourly_price: hourlyPrice,
      currency: 'USD',
    },
  }
  return {value, text: describe(value, work.search)}
}

/** How many trials of what length. */
export function reckon(search: Search, epochs: number) {
  const whole = search.algorithm === 'grid' ? gridSize(search.space) : USUAL_TRIALS
  const wished = search.trials ?? whole
  const trials = search.algorithm === 'grid' ? Math.min(wished, whole) : wished
  const rungs: number[] = []
  if (search.scheduler === 'asha' || search.scheduler === 'hyperband') {
    for (let at = search.grace; at < epochs; at *= search.reduction) rungs.push(at)
  }
  let expected = 0
  const stations = [0, ...rungs, epochs]
  for (const [index, end] of stations.slice(1).entries()) {
    expected += (trials / search.reduction ** index) * (end - (stations[index] ?? 0))
  }
  return {trials, rungs, expected_epochs: Math.round(expected), most_epochs: trials * epochs}
}

/** The number of combinations, conditions counted. */
export function gridSize(space: Search['space']): number {
  const entries = Object.entries(space)
  const needed = new Set(entries.flatMap(([, {when}]) => Object.keys(when ?? {})))
  // Only what others depend on has to be walked; the rest multiplies.
  const walk = (at: number, values: Readonly<Record<string, unknown>>): number => {
    const entry = ordered[at]
    if (!entry) return 1
    const [name, dimension] = entry
    if (!isActive(dimension, values)) return walk(at + 1, values)
    const points = pointsOf(dimension)
    if (!needed.has(name)) return points.length * walk(at + 1, values)
    return points.reduce<number>((sum, value) => sum + walk(at + 1, {...values, [name]: value}), 0)
  }
  const ordered: typeof entries = []
  while (ordered.length < entries.length) {
    const next = entries.find(
      entry =>
        !ordered.includes(entry) &&
        Object.keys(entry[1].when ?? {}).every(other => ordered.some(([name]) => name === other)),
    )
    if (!next) return 0
    ordered.push(next)
  }
  return walk(0, {})
}

function isActive({when = {}}: Dimension, values: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(when).every(
    ([name, wanted]) => name in values && [wanted].flat().includes(values[name] as string),
  )
}

function pointsOf(dimension: Dimension): readonly unknown[] {
  if (dimension.type === 'choice') return dimension.values
  const {max, min, points = GRID_POINTS} = dimension
  if (dimension.type === 'randint' && max - min < points) return Array.from({length: max - min + 1}, (_, i) => min + i)
  return min === max ? [min] : Array.from({length: points}, (_, index) => index)
}

/** Undefined where nothing runs to measure on; more than a machine has is refused at once. */
async function measure(context: Context, plan: JobPlan): Promise<SweepEstimate['measured']> {
  try {
    return await withPlatform(context, async platform => {
      const [ray, jobs] = await Promise.all([platform.ray(), platform.jobs()])
      await checkFit(context, ray, plan)
      const spec = buildSpec(context, plan, {jobs, experiment: {id: '0', name: plan.experiment}, runId: 'none'})
      const sent = plan.upload && (await upload(ray, await plan.upload.pack()))
      const ownCode = await sendOwnCode(context, ray)
      const submission = buildSubmission(context, spec, {ray: ray.endpoint, workingDir: sent?.uri, ownCode})
      const entrypoint = `exec ${formatArgv([ray.endpoint.python, '-m', 'mlvision.entry.tune_measure'])}`
      await ray.submit({...submission, entrypoint, metadata: {}})
      return resultOf(context, ray, submission.submission_id)
    })
  } catch (error) {
    if (error instanceof MlvError && error.code === 'MLV_NOT_RUNNING') return null
    throw error
  }
}

async function resultOf(context: Context, ray: RayClient, id: string): Promise<SweepEstimate['measured']> {
  try {
    for (;;) {
      const job = await ray.get(id)
      if (!job || isEnded(stateOfRay(job.status))) break
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
      context.signal.throwIfAborted()
    }
    const reader = createLineReader()
    for (const line of [...reader.push(await ray.logs(id)), ...reader.end()]) {
      if (line.kind !== 'event') continue
      if (line.event.event === 'measured') {
        return {epoch_seconds: line.event.epoch_seconds, concurrency: line.event.places}
      }
      if (line.event.event === 'failed') throw failed(context, line.event.error)
    }
    throw failed(context, 'the process ended without a result')
  } finally {
    if (context.signal.aborted) await ray.stop(id).catch(() => false)
    await ray.delete(id).catch(() => undefined)
  }
}

function failed({command}: Context, why: string): MlvError {
  return new MlvError('MLV_SWEEP_MEASURE', `An epoch could not be measured: ${why}`, {
    tryThis: [command('logs ray'), command('tune --help')],
  })
}

function describe(value: SweepEstimate, search: Search): string {
  const {expected_epochs, expected_seconds, measured, most_epochs, most_seconds, rungs, trials} = value
  const stops = rungs.length > 0 ? `${search.scheduler} compares after epoch ${rungs.join(', ')}` : search.scheduler
  const time = (seconds: number | null) => formatDuration(Math.max(1, Math.round(seconds ?? 0)) * 1000)
  return [
    `Trials     ${trials} of at most ${value.epochs} epochs, by ${search.algorithm}; ${stops}`,
    `Epochs     about ${expected_epochs} in all; ${most_epochs} if none were stopped early`,
    measured
      ? `Measured   ${measured.epoch_seconds.toFixed(2)} s an epoch; ${measured.concurrency} trials at a time`
      : 'Measured   nothing: the profile is not running',
    ...(measured ? [`Time       about ${time(expected_seconds)}; at most ${time(most_seconds)}`] : []),
    `Cost       ${describeCost(value)}`,
  ].join('\n')
}

/** No more than is known: the hours of a trial's place, and what they cost where somebody says a price. */
function describeCost({busy_hours: hours, cost}: SweepEstimate): string {
  if (cost.hourly_price === 0) {
    return `0 on this machine${hours === null ? '' : `; its trials together take ${placeTime(hours)} (see --hourly-price)`}`
  }
  if (cost.amount === null || hours === null) return 'unknown: nothing was measured'
  const amount = cost.amount < 0.01 ? 'less than 0.01' : `about ${cost.amount.toFixed(2)}`
  return `${amount} ${cost.currency}: trials together take ${placeTime(hours)}, at ${cost.hourly_price} an hour`
}

function placeTime(hours: number): string {
  return formatDuration(Math.max(1, Math.round(hours * 3600)) * 1000)
}
