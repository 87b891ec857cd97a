import type {Context} from '../context.js'
import type {JobOutcome} from './outcome.js'
import {type DryRun, dryRunOf, submitAndFollow, type TrainOptions} from './train.js'
import {planTune, type TuneRequest} from './tune-plan.js'

/** Submits a sweep and follows it. */
export async function tune(context: Context, request: TuneRequest, options: TrainOptions): Promise<JobOutcome> {
  return submitAndFollow(context, await planTune(context, request), options)
}

/** Shows what would be sent. */
export async function tuneDryRun(context: Context, request: TuneRequest): Promise<{value: DryRun; text: string}> {
  return dryRunOf(context, await planTune(context, request))
}
