import type {Context} from '../context.js'
import type {MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import {ago, formatDuration, formatMoment} from '../ui/duration.js'
import {sparkline} from '../ui/sparkline.js'
import {reconcile} from './list.js'
import type {Platform} from './platform.js'
import type {RayJob} from './ray-client.js'
import {findRun, type JobRecord, tags, toRecord} from './record.js'

/** Everything that is known about one job. */
export interface JobDetails extends JobRecord {
  readonly command: string
  readonly resources: {readonly cpus: number; readonly gpus: number}
  readonly git: {readonly commit: string; readonly branch: string; readonly dirty: boolean} | null
  readonly params: Readonly<Record<string, string>>
  readonly ray_message: string | null
  /** The metric that the job is judged by, step by step; null where none has a course. */
  readonly curve: {readonly metric: string; readonly values: readonly number[]} | null
}

/** One job with its run and what Ray says of it now. */
export async function findJob(
  context: Context,
  platform: Platform,
  name: string | undefined,
): Promise<{run: Run; job: RayJob | undefined; submissionId: string; name: string}> {
  const mlflow = await platform.mlflow()
  const found = await findRun(context, mlflow, name)
  const submissionId = found.tags[tags.submissionId] ?? found.name
  const known = await askRay(platform, found, submissionId)
  const jobs = known && new Map(known.job ? [[submissionId, known.job]] : [])
  const [merged] = await reconcile(mlflow, [found], () => jobs)
  return {run: merged?.run ?? found, job: merged?.job, submissionId, name: found.tags[tags.name] ?? found.name}
}

/** Undefined when Ray could not be asked. */
async function askRay(platform: Platform, run: Run, id: string): Promise<{job: RayJob | undefined} | undefined> {
  try {
    return {job: await (await platform.jobsOf(run)).get(id)}
  } catch {
    return undefined
  }
}

export async function showJob(context: Context, platform: Platform, name: string | undefined): Promise<JobDetails> {
  const {job, run} = await findJob(context, platform, name)
  const mlflow = await platform.mlflow()
  const commit = run.tags[tags.commit]
  return {
    ...toRecord(mlflow.url, run, job),
    command: run.tags[tags.command] ?? '',
    resources: {cpus: Number(run.tags[tags.cpus] ?? 1), gpus: Number(run.tags[tags.gpus] ?? 0)},
    git: commit ? {commit, branch: run.tags[tags.branch] ?? '', dirty: run.tags[tags.dirty] === 'true'} : null,
    params: run.params,
    ray_message: job?.message ?? null,
    curve: await curveOf(mlflow, run),
  }
}

async function curveOf(mlflow: MlflowClient, run: Run): Promise<JobDetails['curve']> {
  const names = Object.keys(run.metrics)
  const own = names.filter(name => !name.startsWith('system/')).toSorted()
  const metric = ['val_accuracy', 'val_loss', 'train_loss'].find(name => names.includes(name)) ?? own[0]
  if (metric === undefined) return null
  const points = await mlflow.runs.metricHistory(run.id, metric)
  const values = points.toSorted((one, other) => one.step - other.step).map(({value}) => value)
  return values.length > 1 ? {metric, values} : null
}

/** `name  value` lines for people. */
export function describeJob(job: JobDetails, {isAscii}: {isAscii: boolean}, command: Context['command']): string {
  const isSystem = (name: string) => name.startsWith('system/')
  const names = Object.keys(job.metrics)
  const metrics = Object.entries(job.metrics)
    .filter(([name]) => !isSystem(name))
    .map(([name, value]) => [name, String(Number(value.toPrecision(6)))])
  const [started, ended] = [new Date(job.started), job.ended === null ? undefined : new Date(job.ended)]
  const rows: (readonly string[])[] = [
    ['job', job.name],
    ['state', job.state + (job.exit_code ? ` (exit code ${job.exit_code})` : '')],
    ...(job.reason ? [['reason', job.reason]] : []),
    ['user', job.user],
    ['template', job.template || 'own command'],
    ['command', job.command.startsWith('mlv ') ? command(job.command.slice('mlv '.length)) : job.command],
    ['started', `${formatMoment(started)} (${ago(started)})`],
    ...(ended
      ? [['ended', `${formatMoment(ended)} after ${formatDuration(ended.getTime() - started.getTime())}`]]
      : []),
    ['asks for', `${counted(job.resources.cpus, 'CPU')}, ${counted(job.resources.gpus, 'GPU')}`],
    ...(job.git ? [['commit', job.git.commit.slice(0, 12) + (job.git.dirty ? ' with uncommitted changes' : '')]] : []),
    ...metrics,
    ...(job.curve
      ? [
          [
            'course',
            `${sparkline(job.curve.values, {ascii: isAscii})}  ${job.curve.metric}, ${job.curve.values.length} points`,
          ],
        ]
      : []),
    ...(names.some(isSystem) ? [['machine', `${names.filter(isSystem).length} measures; --json shows them`]] : []),
    ['run', job.run.url],
  ]
  const width = Math.max(...rows.map(([label = '']) => label.length))
  return rows.map(([label = '', value = '']) => `${label.padEnd(width)}  ${value}`).join('\n')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
