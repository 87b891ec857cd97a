import type {RunStatus} from '../mlflow/runs.js'
import {OWN_CLUSTER} from './own-cluster.js'
import type {RayJob} from './ray-client.js'

/** The one list of states, in every command and document. */
export const jobStates = ['queued', 'provisioning', 'running', 'recovering', 'succeeded', 'failed', 'stopped'] as const
export type JobState = (typeof jobStates)[number]

const ended: ReadonlySet<JobState> = new Set(['succeeded', 'failed', 'stopped'])

export function isEnded(state: JobState): boolean {
  return ended.has(state)
}

/** Of a job that Ray knows. */
export function stateOfRay(status: RayJob['status'], run?: RunStatus): JobState {
  switch (status) {
    case 'PENDING':
      return 'queued'
    case 'RUNNING':
      return 'running'
    case 'SUCCEEDED':
      return 'succeeded'
    case 'STOPPED':
      return 'stopped'
    case 'FAILED':
      // Stopped from outside Ray: the driver got its SIGTERM from the machine.
      return run === 'KILLED' ? 'stopped' : 'failed'
  }
}

/** Of a job that Ray no longer knows, or cannot be asked about. */
export function stateOfRun(status: RunStatus): JobState {
  switch (status) {
    case 'SCHEDULED':
      return 'queued'
    case 'RUNNING':
      return 'running'
    case 'FINISHED':
      return 'succeeded'
    case 'FAILED':
      return 'failed'
    case 'KILLED':
      return 'stopped'
  }
}

/** Ray's kinds of failure in words; undefined where the job's own output says it better. */
export function rayReason(job: Pick<RayJob, 'error_type' | 'message'>): string | undefined {
  switch (job.error_type) {
    case 'RUNTIME_ENV_SETUP_FAILURE':
      return 'Ray could not unpack what was uploaded, or could not prepare its environment'
    case 'JOB_SUPERVISOR_ACTOR_START_TIMEOUT':
      return 'Ray did not start the job in time; its head is overloaded or out of memory'
    case 'JOB_SUPERVISOR_ACTOR_START_FAILURE':
      return 'Ray could not start the process that looks after the job'
    case 'JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE':
      return 'no machine of Ray can take the job'
    case 'JOB_SUPERVISOR_ACTOR_DIED':
      return 'the process that looks after the job died; the machine may be out of memory, or Ray was stopped'
    case 'JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE':
      return 'Ray lost sight of the job'
    case 'JOB_ENTRYPOINT_COMMAND_START_ERROR':
      return 'the Python of the job could not be started'
    case OWN_CLUSTER:
      return job.message ?? undefined
    default:
      return undefined
  }
}
