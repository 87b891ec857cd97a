import type {JobOutcome, JobResult} from '../jobs/outcome.js'
import type {TrainOptions} from '../jobs/train.js'
import type {Reporter} from '../ui/reporter.js'

/**
 * Ends a command with what became of its job. A job that failed is an error for people; under `--json` the result is
 * printed all the same, because it says more than an error could, and only the exit code tells.
 */
export function endWithJob(outcome: JobOutcome, reporter: Reporter, isJson: boolean): JobResult {
  if (outcome.error && !isJson) throw outcome.error
  if (outcome.error) process.exitCode = outcome.error.exitCode
  else reporter.result(outcome.text)
  return outcome.result
}

/** How long a job is followed, as its flags say; `--wait` is in seconds. */
export function followOptions({detach, wait}: {detach: boolean; wait?: number | undefined}): TrainOptions {
  return {isDetached: detach, waitMs: wait === undefined ? undefined : wait * 1000}
}
