import type {Context} from '../context.js'
import type {MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import type {Platform} from './platform.js'
import type {JobClient, RayJob} from './ray-client.js'
import {hasOwnCluster, type JobRecord, jobRuns, LOST, SUBMIT_GRACE_MS, tags, toRecord} from './record.js'
import {rayReason} from './states.js'

export interface ListOptions {
  /** Everybody's jobs, not only mine. */
  readonly isAll: boolean
  readonly limit: number
}

/** Jobs as MLflow remembers them and Ray knows them; runs whose job is gone are put right on the way. */
export async function listJobs(context: Context, platform: Platform, options: ListOptions): Promise<JobRecord[]> {
  const mine = `tags.\`${tags.user}\` = '${context.user.replaceAll("'", '')}'`
  const [mlflow, ray] = await Promise.all([
    platform.mlflow().then(async client => {
      const runs = await jobRuns(client, options.limit, options.isAll ? undefined : mine)
      return {client, runs}
    }),
    rayJobs(() => platform.ray()),
  ])
  // Said only now: where MLflow is gone too, that is the whole story.
  if (ray instanceof Error) {
    const why = 'Ray cannot be asked, so states are those that MLflow remembers'
    context.reporter.warn(`${why}: ${ray.message}`)
  }
  const own = mlflow.runs.some(hasOwnCluster) ? await rayJobs(() => platform.ownJobs()) : new Map()
  const jobsOf = (run: Run) => {
    const known = hasOwnCluster(run) ? own : ray
    return known instanceof Error ? undefined : known
  }
  const reconciled = await reconcile(mlflow.client, mlflow.runs, jobsOf)
  return reconciled.map(({job, run}) => toRecord(mlflow.client.url, run, job))
}

/** The error where Ray cannot be asked: then nobody may conclude that a job is gone. */
async function rayJobs(client: () => Promise<JobClient | undefined>): Promise<ReadonlyMap<string, RayJob> | Error> {
  try {
    const jobs = (await (await client())?.list()) ?? []
    return new Map(jobs.map(job => [job.submission_id ?? '', job]))
  } catch (error) {
    return error as Error
  }
}

interface Merged {
  readonly run: Run
  readonly job: RayJob | undefined
}

/** Ends runs that say RUNNING while Ray says that their job is over, or has never heard of it. */
export async function reconcile(
  mlflow: MlflowClient,
  runs: readonly Run[],
  jobsOf: (run: Run) => ReadonlyMap<string, RayJob> | undefined,
): Promise<Merged[]> {
  return Promise.all(
    runs.map(async run => {
      const jobs = jobsOf(run)
      const known = jobs?.get(run.tags[tags.submissionId] ?? '')
      // An id can be used again after a lost head: then Ray's job is not this one.
      const job = known?.metadata?.['mlv.run_id'] === run.id ? known : undefined
      const end = jobs && (run.status === 'RUNNING' || run.status === 'SCHEDULED') ? endOf(run, job) : undefined
      if (!end) return {run, job}
      const endTime = job?.end_time ?? Date.now()
      await mlflow.runs.update(run.id, {status: end.status, endTime})
      if (end.reason && !run.tags[tags.reason]) await mlflow.runs.setTag(run.id, tags.reason, end.reason)
      const reason = run.tags[tags.reason] ?? end.reason
      return {
        job,
        run: {...run, status: end.status, endTime, tags: {...run.tags, ...(reason && {[tags.reason]: reason})}},
      }
    }),
  )
}

function endOf(run: Run, job: RayJob | undefined): {status: Run['status']; reason: string | undefined} | undefined {
  switch (job?.status) {
    case 'PENDING':
    case 'RUNNING':
      return undefined
    case 'SUCCEEDED':
      return {status: 'FINISHED', reason: undefined}
    case 'STOPPED':
      return {status: 'KILLED', reason: 'The job was stopped.'}
    case 'FAILED':
      return {status: 'FAILED', reason: rayReason(job) ?? 'The job failed in Ray before it could end its run.'}
    case undefined:
      if (Date.now() - run.startTime < SUBMIT_GRACE_MS) return undefined
      return {status: 'FAILED', reason: LOST}
  }
}
