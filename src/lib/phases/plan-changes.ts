import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {Phase, PhaseState, Step} from '../types/phase.js'
import {lookAtPhases} from './look.js'
import type {SetupPhase} from './setup.js'

/** What `setup --dry-run` would do: the same steps that a run takes, shown instead of run. */
export async function planChanges(
  context: Context,
  phases: readonly Phase[],
  chosen: readonly Phase[],
): Promise<readonly SetupPhase[]> {
  const states = await lookAtPhases(context, phases)
  return Promise.all(
    phases.map(async (phase): Promise<SetupPhase> => {
      const {id, summary} = phase
      const state = states.get(id)
      const why = state?.kind === 'drifted' ? state.why : state?.kind === 'ready' ? (state.detail ?? null) : null
      const isChosen = chosen.includes(phase)
      if (state?.kind === 'ready' || !isChosen) {
        return {id, summary, outcome: state?.kind === 'ready' ? 'ready' : 'waiting', why, seconds: 0, plan: []}
      }
      return {id, summary, outcome: 'planned', why, seconds: 0, plan: await planOfPhase(context, phase, states.get(id))}
    }),
  )
}

async function planOfPhase(context: Context, phase: Phase, state: PhaseState | undefined): Promise<readonly string[]> {
  if (state === undefined) return []
  try {
    return describeSteps(await phase.apply(context))
  } catch (error) {
    // What the steps are may depend on what an earlier phase builds.
    if (error instanceof MlvError) return [`Known once ${phase.needs.join(' and ')} is there.`]
    throw error
  }
}

/** A step's own plan, or its title where it has none. */
export function describeSteps(steps: readonly Step[]): readonly string[] {
  return steps.flatMap(({plan, title}) => plan ?? [title])
}
