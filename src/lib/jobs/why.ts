import type {Context} from '../context.js'
import {resolveTarget} from '../targets/resolve.js'
import type {Hindrance} from '../types/target.js'
import {createLineReader} from './output-lines.js'
import type {Platform} from './platform.js'
import type {JobClient, RayJob} from './ray-client.js'
import {hasOwnCluster, tags} from './record.js'
import {findJob} from './show.js'
import {isEnded, type JobState, stateOfRay, stateOfRun} from './states.js'

const WAITS = 'Waiting for the Ray cluster of its own.'

export interface WhyResult {
  readonly job: string
  readonly state: JobState
  /** One sentence. */
  readonly why: string
  /** Jobs that have what it waits for. */
  readonly before: readonly string[]
  /** What would help, most likely first. */
  readonly help: readonly string[]
}

/** Why a job does not go on, and what would help. */
export async function whyJob(context: Context, platform: Platform, name: string | undefined): Promise<WhyResult> {
  const {command} = context
  const found = await findJob(context, platform, name)
  const {job, name: jobName, run} = found
  if (!job || isEnded(stateOfRay(job.status))) {
    const state = job ? stateOfRay(job.status) : stateOfRun(run.status)
    const why = isEnded(state)
      ? `${jobName} waits for nothing: it has ended (${state}).`
      : `Ray does not know ${jobName}.`
    return {job: jobName, state, why, before: [], help: [command(`jobs show ${jobName}`)]}
  }
  const ray = await platform.jobsOf(run)
  const isOwn = hasOwnCluster(run)
  const [last, jobs, target] = await Promise.all([
    lastState(ray, found.submissionId),
    ray.list(),
    resolveTarget(context),
  ])
  if (last?.state === 'running') {
    const why = `${jobName} waits for nothing: it runs. ${last.message}`
    return {job: jobName, state: 'running', why, before: [], help: [command(`jobs logs ${jobName} -f`)]}
  }
  const hindrances = (await target.hindrances?.(context, isOwn ? found.submissionId : undefined)) ?? []
  // A cluster of its own stands behind nobody.
  const before = isOwn ? [] : runningBefore(jobs, job)
  const state = last?.state ?? 'queued'
  return {
    job: jobName,
    state,
    why: sentence(jobName, last?.message ?? (isOwn ? WAITS : undefined), hindrances, before),
    before,
    help: help(),
  }

  function help(): string[] {
    const stop = before.slice(0, 3).map(other => command(`jobs stop ${other}`))
    return [...hindrances.map(({help: what}) => what), ...stop, command(`jobs logs ${jobName} -f`)]
  }
}

function sentence(
  name: string,
  said: string | undefined,
  hindrances: readonly Hindrance[],
  before: readonly string[],
): string {
  const [first] = hindrances
  const waits = said?.replace(/^Waiting for /, `${name} waits for `) ?? `${name} waits for Ray to start it.`
  const others =
    before.length === 0 ? '' : ` ${before.length} ${before.length === 1 ? 'job is' : 'jobs are'} before it.`
  return `${waits}${first ? ` ${first.what}` : ''}${others}`
}

async function lastState(ray: JobClient, id: string) {
  const reader = createLineReader()
  const lines = [...reader.push(await ray.logs(id)), ...reader.end()]
  return lines.flatMap(line => (line.kind === 'event' && line.event.event === 'state' ? [line.event] : [])).at(-1)
}

function runningBefore(jobs: readonly RayJob[], job: RayJob): string[] {
  return jobs
    .filter(other => other.status === 'RUNNING' && other.submission_id !== job.submission_id)
    .filter(other => (other.start_time ?? 0) < (job.start_time ?? Number.POSITIVE_INFINITY))
    .map(other => other.metadata?.[tags.name] ?? other.submission_id ?? '')
}

/** For people. */
export function describeWhy({help, why}: WhyResult): string {
  return [why, '', 'Try this:', ...help.map(line => `  ${line}`)].join('\n')
}
