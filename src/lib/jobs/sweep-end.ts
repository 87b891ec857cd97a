import type {Context} from '../context.js'
import {formatDuration} from '../ui/duration.js'
import type {Progress} from './follow-view.js'
import type {JobResult} from './outcome.js'
import {number, type SweepEnd, short} from './sweep-view.js'

const BEST_PARAMS = 'sweep/best-params.yaml'

/** What became of the trials. */
export interface SweepResult {
  readonly trials: number
  readonly counts: SweepEnd['counts']
  readonly epochs_run: number
  readonly seconds: number
  readonly best: SweepEnd['best']
  /** Why it ended before its last trial. */
  readonly reason: string | null
}

export function sweepResult({best, counts, epochs_run, reason, seconds, trials}: SweepEnd): SweepResult {
  return {trials, counts, epochs_run, seconds, best, reason}
}

/** The verdict, and three things to do next. */
export function sweepText(
  {command}: Pick<Context, 'command'>,
  {job, metrics, model, run, sweep}: JobResult & {sweep: SweepResult},
  progress: Progress,
): string {
  const {start, end} = progress.sweep ?? {}
  if (job.state !== 'succeeded' || !start || !end || !sweep.best) return ''
  const {counts} = sweep
  const all = counts.finished + counts.stopped_early + counts.failed
  const saved = Math.round(100 * (1 - sweep.epochs_run / Math.max(1, end.epochs_full)))
  const states = [`${counts.finished} finished`, `${counts.stopped_early} stopped early`, `${counts.failed} failed`]
  const accuracy = metrics.test_accuracy
  return [
    `${job.name} succeeded: trial ${sweep.best.trial} is the best, ${start.metric} ${number(sweep.best.value ?? Number.NaN)}`,
    ...(typeof accuracy === 'number' ? [`Its test accuracy is ${(accuracy * 100).toFixed(2)} %`] : []),
    `${all} trials in ${formatDuration(sweep.seconds * 1000)}: ${states.join(', ')}; ${saved} % of the epochs saved`,
    ...(sweep.reason ? [`It ended before its last trial: ${sweep.reason}`] : []),
    `Best   ${Object.entries(sweep.best.params)
      .map(([name, value]) => `${name} ${short(value)}`)
      .join(', ')}`,
    ...(model?.name ? [`Model  ${model.name}, version ${model.version}, alias challenger`] : []),
    `Run    ${run.url}`,
    'Next:',
    `  ${start.train ? trainBest({command}, job.name, start.train) : command('open mlflow')}`,
    `  ${command(`tune resume ${job.name} --trials +50`)}`,
    `  ${command(`jobs show ${job.name}`)}`,
  ].join('\n')
}

/** Fetches the file of the best parameters and trains with it: every digit of them, and what all trials had in common. */
function trainBest({command}: Pick<Context, 'command'>, sweep: string, template: string): string {
  return `${command(`jobs logs ${sweep} --download ${sweep}`)} && ${command(`train ${template} -f ${sweep}/${BEST_PARAMS}`)}`
}
