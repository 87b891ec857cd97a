import {withoutStop} from '../../errors.js'
import type {RayJobObject} from '../../tools/kube-objects.js'
import type {JobClusterState} from '../../types/target.js'
import {formatDuration} from '../../ui/duration.js'

/** Its pods were not there in time. */
export const NOT_STARTED = 'PreRunningDeadlineExceeded'

type Limits = {readonly deadline: number; readonly start: number}

/**
 * Two words tell of a RayJob, and neither tells it alone: Ray's own stays RUNNING for ever once a cluster is lost or a deadline
 * has passed, and the operator's says Complete of a job that was stopped.
 */
export function statusOf({jobDeploymentStatus, jobStatus}: RayJobObject['status']): JobClusterState['status'] {
  if (jobStatus === 'SUCCEEDED' || jobStatus === 'STOPPED' || jobStatus === 'FAILED') {
    // Made again by the operator: that was the end of one try.
    return jobDeploymentStatus === 'Retrying' ? 'PENDING' : jobStatus
  }
  switch (jobDeploymentStatus) {
    case 'Failed':
    case 'ValidationFailed':
      return 'FAILED'
    case 'Complete':
      return 'SUCCEEDED'
    case 'Suspending':
    case 'Suspended':
      return 'STOPPED'
    case 'Running':
      return jobStatus === 'RUNNING' ? 'RUNNING' : 'PENDING'
    default:
      return 'PENDING'
  }
}

/** Why its cluster failed it; null where it ended by itself, which its own words tell. */
export function failureOf({message, reason}: RayJobObject['status'], {deadline, start}: Limits): string | null {
  const said = message ? `: ${withoutStop(message)}` : ''
  switch (reason) {
    case undefined:
    case '':
    case 'AppFailed':
      return null
    case 'DeadlineExceeded':
      return `it took longer than ${formatDuration(deadline * 1000)} (jobClusters.deadline)`
    case NOT_STARTED:
      return `its cluster was not there within ${formatDuration(start * 1000)} (jobClusters.start)`
    default:
      return `its own cluster failed (${reason})${said}`
  }
}

export const toState = (found: RayJobObject, limits: Limits, message: string | null): JobClusterState => {
  const {spec, status} = found
  const time = (text: string | null | undefined) => (text ? Date.parse(text) : null)
  const state = statusOf(status)
  return {
    id: spec.jobId ?? found.metadata.name,
    status: state,
    message: state === 'FAILED' ? failureOf(status, limits) : message,
    isStuck: false,
    metadata: spec.metadata ?? {},
    startTime: time(status.startTime ?? found.metadata.creationTimestamp),
    endTime: time(status.endTime),
  }
}
