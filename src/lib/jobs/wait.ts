import {setTimeout as sleep} from 'node:timers/promises'

import type {Context} from '../context.js'
import type {MlflowClient} from '../mlflow/client.js'
import {follow, stillRunning} from './follow.js'
import type {JobOutcome} from './outcome.js'
import {outcomeOf} from './outcome.js'
import type {Platform} from './platform.js'
import {hasOwnCluster, tags} from './record.js'
import {findJob} from './show.js'
import {isEnded, stateOfRay, stateOfRun} from './states.js'

export interface WaitOptions {
  readonly waitMs?: number | undefined
  /** Of what it wrote before, show only so many lines. */
  readonly tail?: number | undefined
  /** Shows the job's output meanwhile. */
  readonly isShown: boolean
}

/** Waits for the end of a job, which may be over already; ends as the job ended. */
export async function waitForJob(
  context: Context,
  platform: Platform,
  name: string | undefined,
  {isShown, tail, waitMs}: WaitOptions,
): Promise<JobOutcome> {
  const found = await findJob(context, platform, name)
  const mlflow = await platform.mlflow()
  const nothing = {state: undefined, result: undefined, failure: undefined, stop: undefined, curve: [], curveName: ''}
  if (!found.job && isEnded(stateOfRun(found.run.status))) {
    return outcomeOf({context, mlflow, ...found, progress: nothing})
  }
  return follow({context, mlflow, ray: await platform.jobsOf(found.run), ...found, waitMs, isShown, tail})
}

export interface Stopped {
  readonly job: string
  readonly state: string
  /** False where it had ended before. */
  readonly stopped: boolean
}

const POLL_MS = 250
/** Ray kills a job that has not ended by itself after a minute. */
const STOP_DEADLINE_MS = 90_000

/** Stops a job and waits for its end: it may write a checkpoint first. A second time changes nothing. */
export async function stopJob(context: Context, platform: Platform, name: string | undefined): Promise<Stopped> {
  const found = await findJob(context, platform, name)
  const before = found.job ? stateOfRay(found.job.status, found.run.status) : stateOfRun(found.run.status)
  if (isEnded(before)) return {job: found.name, state: before, stopped: false}
  const ray = await platform.jobsOf(found.run)
  await ray.stop(found.submissionId)
  const live = context.reporter.live()
  live.set(`Stopping ${found.name}: waiting for its checkpoint.`)
  try {
    const until = performance.now() + STOP_DEADLINE_MS
    while (performance.now() < until) {
      const job = await ray.get(found.submissionId)
      const state = job && stateOfRay(job.status)
      if (!state || isEnded(state)) {
        if (!state && hasOwnCluster(found.run)) await endUnbegun(await platform.mlflow(), found.run.id)
        const after = await findJob(context, platform, found.name)
        return {job: found.name, state: after.job ? stateOfRay(after.job.status) : 'stopped', stopped: true}
      }
      await sleep(POLL_MS, undefined, {signal: context.signal}).catch(() => undefined)
      context.signal.throwIfAborted()
    }
    throw stillRunning(context, found.name, STOP_DEADLINE_MS)
  } finally {
    live.close()
  }
}

/** Its cluster went before its driver could write an end. */
async function endUnbegun(mlflow: MlflowClient, id: string): Promise<void> {
  const {status} = await mlflow.runs.get(id)
  if (isEnded(stateOfRun(status))) return
  await mlflow.runs.setTag(id, tags.reason, 'The job was stopped before it began.')
  await mlflow.runs.update(id, {status: 'KILLED', endTime: Date.now()})
}
