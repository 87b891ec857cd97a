import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {type MlflowClient, runUrl} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import {nearest} from '../nearest.js'
import type {RayJob} from './ray-client.js'
import {isEnded, type JobState, stateOfRay, stateOfRun} from './states.js'

/** Tags of a job's run: the durable record of the job. */
export const tags = {
  name: 'mlv.job.name',
  kind: 'mlv.job.kind',
  template: 'mlv.job.template',
  user: 'mlv.job.user',
  submissionId: 'mlv.job.submission_id',
  command: 'mlv.job.command',
  cpus: 'mlv.job.cpus',
  gpus: 'mlv.job.gpus',
  commit: 'mlv.job.git_commit',
  branch: 'mlv.job.git_branch',
  dirty: 'mlv.job.git_dirty',
  version: 'mlv.job.mlv_version',
  lock: 'mlv.job.lock',
  reason: 'mlv.job.reason',
  exitCode: 'mlv.job.exit_code',
  rerunOf: 'mlv.job.rerun_of',
  isolation: 'mlv.job.isolation',
} as const

/** One job as MLflow remembers it and Ray knows it. */
export interface JobRecord {
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly template: string | null
  readonly user: string
  readonly state: JobState
  readonly exit_code: number | null
  readonly reason: string | null
  readonly started: string
  readonly ended: string | null
  readonly run: {readonly id: string; readonly experiment_id: string; readonly url: string}
  readonly metrics: Readonly<Record<string, number>>
}

/** What was found, with the things to go on with. */
export interface FoundJob {
  readonly record: JobRecord
  readonly run: Run
  /** Undefined where Ray does not know it, or could not be asked. */
  readonly ray: RayJob | undefined
}

/** Every run that is a job, newest first. */
export async function jobRuns(mlflow: MlflowClient, limit?: number, filter?: string): Promise<Run[]> {
  const experiments = await mlflow.experiments.search()
  return mlflow.runs.search({
    experimentIds: experiments.map(experiment => experiment.id),
    filter: filter ?? `tags.\`${tags.name}\` != ''`,
    orderBy: ['attributes.start_time DESC'],
    ...(limit !== undefined && {limit}),
  })
}

export function toRecord(mlflowUrl: string, run: Run, ray: RayJob | undefined): JobRecord {
  const state = ray ? stateOfRay(ray.status, run.status) : stateOfRun(run.status)
  const exit = run.tags[tags.exitCode] ?? ray?.driver_exit_code ?? null
  const ended = run.endTime ?? ray?.end_time ?? undefined
  return {
    id: run.tags[tags.submissionId] ?? run.name,
    name: run.tags[tags.name] ?? run.name,
    kind: run.tags[tags.kind] ?? 'train',
    template: run.tags[tags.template] ?? null,
    user: run.tags[tags.user] ?? '',
    state,
    exit_code: exit === null ? null : Number(exit),
    reason: run.tags[tags.reason] ?? null,
    started: new Date(run.startTime).toISOString(),
    ended: ended !== undefined && isEnded(state) ? new Date(ended).toISOString() : null,
    run: {id: run.id, experiment_id: run.experimentId, url: runUrl(mlflowUrl, run.experimentId, run.id)},
    metrics: run.metrics,
  }
}

/** A run is made before Ray hears of its job: so long it may be unknown there. */
export const SUBMIT_GRACE_MS = 120_000

/** Why a run ends whose job Ray has never heard of, or no longer knows. */
export const LOST = 'Ray no longer knows the job: its head was stopped or lost while it ran.'

/** Whether the job has, or had, a Ray cluster of its own. */
export const hasOwnCluster = ({tags: {[tags.isolation]: isolation}}: Pick<Run, 'tags'>): boolean =>
  isolation === 'cluster'

/** Ends a run that says RUNNING though its job is gone. */
export async function endLost(mlflow: MlflowClient, run: Run, why = LOST): Promise<Run> {
  const endTime = Date.now()
  await mlflow.runs.update(run.id, {status: 'FAILED', endTime})
  const reason = run.tags[tags.reason] ?? why
  await mlflow.runs.setTag(run.id, tags.reason, reason)
  return {...run, status: 'FAILED', endTime, tags: {...run.tags, [tags.reason]: reason}}
}

const quoted = /['\\]/

/** The run of a job by its name or id; without one, the person's own last. */
export async function findRun(
  context: Pick<Context, 'command' | 'user'>,
  mlflow: MlflowClient,
  name: string | undefined,
): Promise<Run> {
  if (name === undefined) {
    const [last] = await jobRuns(mlflow, 1, `tags.\`${tags.user}\` = '${context.user.replaceAll("'", '')}'`)
    if (last) return last
    throw new MlvError('MLV_JOB_UNKNOWN', 'You have no job in this profile yet.', {
      tryThis: [context.command('train digits')],
    })
  }
  for (const tag of quoted.test(name) ? [] : [tags.name, tags.submissionId]) {
    const [found] = await jobRuns(mlflow, 1, `tags.\`${tag}\` = '${name}'`)
    if (found) return found
  }
  const names = (await jobRuns(mlflow, 1000)).map(run => run.tags[tags.name] ?? '')
  // Somebody who leaves out the made-up end, or mistypes what stands before it, means the last of that kind.
  const meant = nearest(name, names) ?? names.find(known => nearest(name, [known.replace(/-[a-z]+-[a-z0-9]{4}$/, '')]))
  throw new MlvError(
    'MLV_JOB_UNKNOWN',
    `There is no job ${JSON.stringify(name)} in this profile.${meant ? ` Did you mean "${meant}"?` : ''}`,
    {tryThis: [context.command(meant ? `jobs show ${meant}` : 'jobs list --all')]},
  )
}
