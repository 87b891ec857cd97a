import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {type MlflowClient, runUrl} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import {sparkline} from '../ui/sparkline.js'
import {type Scaling, scalingOf, scalingTable} from './ddp-scaling.js'
import type {Progress} from './follow-view.js'
import {OWN_CLUSTER} from './own-cluster.js'
import type {RayJob} from './ray-client.js'
import {endLost, LOST, tags} from './record.js'
import {isEnded, type JobState, rayReason, stateOfRay, stateOfRun} from './states.js'
import {type SweepResult, sweepResult, sweepText} from './sweep-end.js'

/** What `mlv train --json` and `mlv jobs wait --json` print. */
export interface JobResult {
  readonly job: {
    readonly id: string
    readonly name: string
    readonly state: JobState
    readonly exit_code: number | null
    readonly reason: string | null
  }
  readonly run: {readonly id: string; readonly url: string}
  readonly metrics: Readonly<Record<string, number | null>>
  readonly model: {readonly uri: string; readonly name: string | null; readonly version: string | null} | null
  /** Of a comparison of numbers of processes. */
  readonly scaling?: Scaling
  /** Of a sweep that got as far as its end. */
  readonly sweep?: SweepResult
}

export interface JobOutcome {
  readonly result: JobResult
  /** For people, on stdout. */
  readonly text: string
  /** What to end with when the job did not go well. */
  readonly error?: MlvError
}

export interface EndedJob {
  readonly context: Pick<Context, 'command' | 'reporter'>
  readonly mlflow: MlflowClient
  readonly name: string
  readonly submissionId: string
  readonly run: Run
  readonly job: RayJob | undefined
  readonly progress: Progress
}

/** Puts together how a job ended: from its events, from Ray, and from its run where those do not tell. */
export async function outcomeOf({
  context,
  job,
  mlflow,
  name,
  progress,
  run,
  submissionId,
}: EndedJob): Promise<JobOutcome> {
  const isTold = job?.status === 'SUCCEEDED' && progress.result !== undefined
  const seen = isTold ? run : await mlflow.runs.get(run.id)
  // A job whose cluster failed it had no driver left to end its run.
  const isOver = isEnded(stateOfRun(seen.status)) || (job !== undefined && job.error_type !== OWN_CLUSTER)
  const last = isOver ? seen : await endLost(mlflow, seen, job && rayReason(job))
  const state = job ? stateOfRay(job.status, last.status) : stateOfRun(last.status)
  const reason = state === 'succeeded' ? null : reasonOf(job, progress, last)
  const exit = last.tags[tags.exitCode]
  const result: JobResult = {
    job: {id: submissionId, name, state, exit_code: exit ? Number(exit) : (job?.driver_exit_code ?? null), reason},
    run: {id: run.id, url: runUrl(mlflow.url, run.experimentId, run.id)},
    metrics: progress.result?.metrics ?? last.metrics,
    model: progress.result?.model ?? null,
    ...(progress.scaling && {scaling: scalingOf(progress.scaling)}),
    ...(progress.sweep?.end && {sweep: sweepResult(progress.sweep.end)}),
  }
  const error = errorOf(context, result, run)
  const text = result.sweep
    ? sweepText(context, {...result, sweep: result.sweep}, progress)
    : describe(context, result, progress)
  return {result, text, ...(error && {error})}
}

function reasonOf(job: RayJob | undefined, {failure, stop}: Progress, run: Run): string | null {
  if (failure) return failure.where ? `${failure.error} (${failure.where})` : failure.error
  const kept = run.tags[tags.reason]
  // The end of the head ends its jobs by SIGTERM: as the only reason that would read as if somebody had stopped this one.
  if (!job && kept !== LOST && run.status === 'KILLED') return `${kept ?? 'ended'}; ${LOST}`
  if (kept) return kept
  if (stop) return `stopped by ${stop.reason}${stop.epoch === null ? '' : ` in epoch ${stop.epoch}`}`
  return (job && rayReason(job)) ?? (job ? null : 'Ray no longer knows the job')
}

function errorOf({command}: Pick<Context, 'command'>, {job, run}: JobResult, {tags: of}: Run): MlvError | undefined {
  const anew = otherMetric(job.reason ?? '')
  const resume = anew && of[tags.template] ? `tune ${of[tags.template]} ${anew}` : `tune resume ${job.name}`
  const again = command(of[tags.kind] === 'tune' ? resume : `jobs rerun ${job.name}`)
  // The driver's own words for a plain exit code would say it twice.
  const isPlain = /^It ended with exit code/.test(job.reason ?? '')
  // A bare signal is how every stop arrives.
  const isSignal = /^SIG[A-Z]+$/.test(job.reason ?? '')
  const because = job.reason && !isPlain && !isSignal ? `: ${job.reason.replace(/[.\s]+$/, '')}.` : '.'
  const exit = job.exit_code === null || job.exit_code === 0 ? '' : ` with exit code ${job.exit_code}`
  if (job.state === 'failed') {
    return new MlvError('MLV_JOB_FAILED', `The job ${job.name} failed${exit}${because}`, {
      tryThis: [command(`jobs logs ${job.name} --tail 50`), again, `Look at ${run.url}`],
    })
  }
  if (job.state === 'stopped') {
    return new MlvError('MLV_JOB_STOPPED', `The job ${job.name} was stopped${because}`, {
      tryThis: [again, `Look at ${run.url}`],
    })
  }
  return undefined
}

/** After a metric that no trial reports a resume would fail again: a sweep anew, by one that they do report. */
function otherMetric(reason: string): string | undefined {
  const names = /the trials do not report .+?; they report ([^.]+)/.exec(reason)?.[1]?.split(', ')
  const name = names?.find(one => one === 'val_accuracy') ?? names?.find(one => one.startsWith('val')) ?? names?.[0]
  return name && `--metric ${name} --mode ${name.includes('loss') ? 'min' : 'max'}`
}

function describe(
  {reporter}: Pick<Context, 'reporter'>,
  {job, metrics, model, run, scaling}: JobResult,
  {curve, curveName}: Progress,
): string {
  if (job.state !== 'succeeded') return ''
  const accuracy = metrics.test_accuracy
  const verdict = typeof accuracy === 'number' ? `: test accuracy ${(accuracy * 100).toFixed(2)} %` : ''
  const lines = [`${job.name} succeeded${verdict}`]
  if (curve.length > 1)
    lines.push(`${curveName}  ${sparkline(curve, {ascii: reporter.symbols.isAscii})}  ${curve.length} epochs`)
  if (scaling) lines.push(scalingTable(scaling))
  if (model?.name) lines.push(`Model  ${model.name}, version ${model.version}`)
  lines.push(`Run    ${run.url}`)
  return lines.join('\n')
}
