import type {Context} from '../context.js'
import {MlvError, withoutStop} from '../errors.js'
import type {Phase, PhaseId, PhaseState} from '../types/phase.js'
import {inOrder} from './registry.js'

export type PhaseStates = ReadonlyMap<PhaseId, PhaseState>

/** Asks every phase what is there, independent ones at the same time. Changes nothing. */
export async function lookAtPhases(context: Context, phases: readonly Phase[]): Promise<PhaseStates> {
  const asked = new Map<PhaseId, Promise<PhaseState>>()
  for (const phase of inOrder(phases)) asked.set(phase.id, lookAfterNeeds(context, phase, asked))
  return new Map(await Promise.all([...asked].map(async ([id, state]) => [id, await state] as const)))
}

async function lookAfterNeeds(
  context: Context,
  phase: Phase,
  asked: ReadonlyMap<PhaseId, Promise<PhaseState>>,
): Promise<PhaseState> {
  for (const id of phase.needs) {
    const needed = await asked.get(id)
    // What stands on something that is missing cannot be there; asking it would only wait for an answer.
    if (needed?.kind === 'absent') return {kind: 'absent'}
    if (needed?.kind === 'drifted') return {kind: 'drifted', why: `waits for ${id}`}
  }
  return lookAt(context, phase)
}

/** What one phase finds. A failure to look is a state too: it says why. */
export async function lookAt(context: Context, phase: Phase): Promise<PhaseState> {
  try {
    return await phase.status(context)
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof MlvError) return {kind: 'drifted', why: withoutStop(error.message)}
    throw error
  }
}
