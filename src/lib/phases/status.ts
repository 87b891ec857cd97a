import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {resolveTarget} from '../targets/resolve.js'
import {folderSize} from '../tools/folder-size.js'
import type {Phase} from '../types/phase.js'
import type {Target} from '../types/target.js'
import {readJournal} from './journal.js'
import {findInFlight} from './journal-events.js'
import {lookAtPhases} from './look.js'
import {planOf} from './plan.js'
import {type ServiceAddress, serviceAddresses} from './services.js'

export interface StatusPhase {
  readonly id: string
  readonly summary: string
  readonly state: 'ready' | 'drifted' | 'absent'
  /** Why it drifted, or what was found. */
  readonly detail: string | null
}

export interface StatusResult {
  readonly profile: string
  readonly target: string
  readonly ready: boolean
  readonly phases: readonly StatusPhase[]
  readonly services: readonly ServiceAddress[]
  readonly disk: {readonly state_dir: string; readonly bytes: number}
  /** Who is at work on the profile right now, as a sentence; null when nobody is. */
  readonly busy: string | null
  /** What the last setup or teardown left in the middle; null when it came to its end. */
  readonly in_flight: {readonly command: string; readonly pid: number; readonly steps: readonly string[]} | null
}

/** What there is of a profile's platform. Only looks. */
export async function readStatus(options: {
  context: Context
  target?: Target
  plan?: readonly Phase[]
}): Promise<StatusResult> {
  const {context} = options
  const target = options.target ?? (await resolveTarget(context))
  const phases = options.plan ?? planOf(target)
  const [states, services, bytes, journal, busy] = await Promise.all([
    lookAtPhases(context, phases),
    serviceAddresses(context, target),
    folderSize(context.stateDir),
    readJournal(context.stateDir),
    holderOf(context, target),
  ])
  const inFlight = busy === null ? findInFlight(journal.events) : undefined
  return {
    profile: context.profile.name,
    target: target.name,
    ready: [...states.values()].every(({kind}) => kind === 'ready'),
    phases: phases.map(({id, summary}): StatusPhase => {
      const state = states.get(id)
      const detail = state?.kind === 'drifted' ? state.why : state?.kind === 'ready' ? state.detail : undefined
      return {id, summary, state: state?.kind ?? 'absent', detail: detail ?? null}
    }),
    services,
    disk: {state_dir: context.stateDir, bytes},
    busy,
    in_flight: inFlight
      ? {
          command: inFlight.command,
          pid: inFlight.pid,
          steps: inFlight.steps.map(({phase, title}) => `${phase}: ${title}`),
        }
      : null,
  }
}

async function holderOf(context: Context, target: Target): Promise<string | null> {
  try {
    await target.state(context).ensureUnlocked()
    return null
  } catch (error) {
    if (!(error instanceof MlvError) || context.signal.aborted) throw error
    // A cluster that cannot be asked is what the phases tell of.
    return error.code === 'MLV_LOCKED' ? error.message : null
  }
}
