import type {Context} from '../context.js'
import type {Target} from '../types/target.js'
import type {VerifyResult} from '../verify/canary.js'
import {proveProfile} from '../verify/run.js'
import type {Journal} from './journal.js'
import type {RunOutcome} from './journal-events.js'
import type {PhaseOutcome} from './run-phases.js'

const STEP = {phase: '06-verify', step: 'prove-all'} as const

/**
 * Proves all that was built, at the end of a setup that changed something. What phase 06 proved is proven again, beside
 * the job that takes longest, so that the count at the end is that of everything. Journaled as a step, so that a setup that is cut off here is not taken for a finished one.
 */
export async function proveBuilt(
  context: Context,
  target: Target,
  journal: Journal,
  outcomes: readonly PhaseOutcome[],
): Promise<VerifyResult | null> {
  const isBuilt = (id: string) => outcomes.some(outcome => outcome.id === id && isThere(outcome))
  if (!isBuilt('07-ray') || !isBuilt('06-verify')) return null
  const began = performance.now()
  const end = (outcome: RunOutcome) =>
    journal.append({event: 'step-ended', ...STEP, outcome, ms: Math.round(performance.now() - began)})
  journal.append({event: 'step-started', ...STEP, title: 'Proving all that was built'})
  const connection = target.connect(context)
  try {
    const result = await proveProfile({context, connection, scope: 'all'})
    end('done')
    return result
  } catch (error) {
    end(context.signal.aborted ? 'interrupted' : 'failed')
    throw error
  } finally {
    await connection.close()
  }
}

function isThere({outcome}: PhaseOutcome): boolean {
  return outcome === 'ready' || outcome === 'applied'
}
