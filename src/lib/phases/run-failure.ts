import type {Context} from '../context.js'
import {describeFileError, MlvError} from '../errors.js'
import type {PhaseOutcome} from './run-phases.js'

/** The one error that a run with failed, interrupted or waiting phases ends with; undefined when it went well. */
export function failureOf(
  context: Context,
  outcomes: readonly PhaseOutcome[],
  command: 'setup' | 'teardown',
): Error | undefined {
  const failed = outcomes.filter(({outcome}) => outcome === 'failed')
  const again = context.command(command)
  if (context.signal.aborted) return interruption(context, outcomes, again)
  const [first, ...others] = failed
  if (first) {
    const error = describeFileError(first.error, context.stateDir)
    // What nobody expected goes up as it is: a bug with its stack.
    if (!(error instanceof MlvError)) return error instanceof Error ? error : new Error(String(error))
    const {code, details, exitCode, message, tryThis} = error
    return new MlvError(code, `${first.id} failed: ${message}`, {
      cause: error,
      details: [...details, ...others.map(({id, why}) => `${id} failed too: ${why}`)],
      exitCode,
      tryThis: tryThis.includes(again) ? tryThis : [...tryThis, again],
    })
  }
  const waiting = outcomes.find(({outcome, why}) => outcome === 'waiting' && why !== undefined)
  if (!waiting) return undefined
  return new MlvError('MLV_PHASE_NEEDS', `${waiting.id} is needed and is not there (${waiting.why}).`, {
    tryThis: [context.command(`setup --from ${waiting.id.slice(0, 2)}`), again],
  })
}

function interruption(context: Context, outcomes: readonly PhaseOutcome[], again: string): MlvError {
  const reason = context.signal.reason as unknown
  const code = reason instanceof MlvError ? reason.code : 'MLV_INTERRUPTED'
  const cut = outcomes.filter(({outcome}) => outcome === 'interrupted').map(({id}) => id)
  const verb = code === 'MLV_TERMINATED' ? 'Asked to end (SIGTERM)' : 'Interrupted'
  return new MlvError(
    code,
    cut.length === 0 ? `${verb}.` : `${verb} in ${cut.join(' and ')}. What was done stays done.`,
    {
      tryThis: [again],
    },
  )
}
