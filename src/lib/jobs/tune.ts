import type {Context} from '../context.js'
import type {JobOutcome} from './outcome.js'
import {submitAndFollow, type TrainOptions} from './train.js'
import {estimateSweep, type SweepEstimate} from './tune-estimate.js'
import {planTune, type TuneRequest} from './tune-plan.js'

/** Submits a sweep and follows it. */
export async function tune(context: Context, request: TuneRequest, options: TrainOptions): Promise<JobOutcome> {
  return submitAndFollow(context, await planTune(context, request), options)
}

/** Says how many trials of what length it would be, and how long they would take. */
export async function tuneDryRun(
  context: Context,
  request: TuneRequest,
): Promise<{value: SweepEstimate; text: string}> {
  return estimateSweep(context, await planTune(context, request), request.hourlyPrice)
}
