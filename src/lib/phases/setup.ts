import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {resolveTarget} from '../targets/resolve.js'
import {ensureStateFolder} from '../tools/state-folder.js'
import type {Phase} from '../types/phase.js'
import type {Lock} from '../types/state.js'
import type {Target} from '../types/target.js'
import type {VerifyResult} from '../verify/canary.js'
import {proveBuilt} from './final-proof.js'
import {type InFlightResult, tellWhatWasFound} from './in-flight.js'
import {type Journal, openJournal, readJournal} from './journal.js'
import {findInFlight, usualDurations} from './journal-events.js'
import {lookAtPhases} from './look.js'
import {endOrphans, markedExec} from './orphans.js'
import {planOf} from './plan.js'
import {planChanges} from './plan-changes.js'
import {choosePhases, withNeeds} from './registry.js'
import {createRunBoard} from './run-board.js'
import {failureOf} from './run-failure.js'
import {applyPhases, type PhaseOutcome} from './run-phases.js'
import {type ServiceAddress, serviceAddresses} from './services.js'

export interface SetupOptions {
  readonly context: Context
  readonly only?: string | undefined
  readonly from?: string | undefined
  /** The profile's own by default. */
  readonly target?: Target
  /** All that the target's setup is made of by default. */
  readonly plan?: readonly Phase[]
}

export interface SetupPhase {
  readonly id: string
  readonly summary: string
  /** `planned`: under `--dry-run`, would be applied. */
  readonly outcome: 'ready' | 'applied' | 'waiting' | 'planned'
  readonly why: string | null
  readonly seconds: number
  /** The commands and actions that `--dry-run` shows. */
  readonly plan: readonly string[]
}

export interface SetupResult {
  readonly profile: string
  readonly target: string
  readonly outcome: 'unchanged' | 'done' | 'planned'
  readonly seconds: number
  readonly phases: readonly SetupPhase[]
  readonly in_flight: InFlightResult | null
  readonly services: readonly ServiceAddress[]
  /** What proved the whole at the end; null when nothing was changed. */
  readonly verified: VerifyResult | null
}

/** Builds what is missing of a profile's platform. Everything that is there is left alone. */
export async function setUp(options: SetupOptions): Promise<SetupResult> {
  const {context} = options
  const began = performance.now()
  const target = options.target ?? (await resolveTarget(context))
  const all = options.plan ?? planOf(target)
  const chosen = choosePhases(all, options, context.command)
  const phases = withNeeds(all, chosen)
  const base = {profile: context.profile.name, target: target.name, verified: null, in_flight: null}
  const seconds = () => Math.round(performance.now() - began) / 1000
  if (context.dryRun) {
    return {
      ...base,
      outcome: 'planned',
      phases: await planChanges(context, phases, chosen),
      services: [],
      seconds: seconds(),
    }
  }
  const unchanged = await unchangedPhases(context, target, phases)
  if (unchanged) {
    const services = await serviceAddresses(context, target)
    return {...base, outcome: 'unchanged', phases: unchanged, services, seconds: seconds()}
  }
  const run = await runLocked(context, {phases, chosen, target})
  return {...base, ...run, outcome: 'done', services: await serviceAddresses(context, target), seconds: seconds()}
}

/** Looks without taking the lock: with nothing to do, nothing at all is written. */
async function unchangedPhases(
  context: Context,
  target: Target,
  phases: readonly Phase[],
): Promise<readonly SetupPhase[] | undefined> {
  await target.state(context).ensureUnlocked()
  const journal = await readJournal(context.stateDir)
  if (journal.isCorrupt || findInFlight(journal.events)) return undefined
  const states = await lookAtPhases(context, phases)
  const results = phases.map(({id, summary}): SetupPhase | undefined => {
    const state = states.get(id)
    if (state?.kind !== 'ready') return undefined
    return {id, summary, outcome: 'ready', why: state.detail ?? null, seconds: 0, plan: []}
  })
  return results.every(result => result !== undefined) ? results : undefined
}

interface Scope {
  readonly phases: readonly Phase[]
  readonly chosen: readonly Phase[]
  readonly target: Target
}

async function runLocked(outer: Context, {phases, chosen, target}: Scope) {
  await ensureStateFolder(outer.stateDir)
  const state = target.state(outer)
  const lock = await state.lock('mlv setup')
  try {
    const journal = await openJournal(outer.stateDir)
    const context = {...held(outer, lock), exec: markedExec(outer.exec, journal.run)}
    try {
      await endOrphans(context, journal)
      const inFlight = tellWhatWasFound(context, 'setup', {journal, lock})
      journal.append({event: 'run-started', command: 'setup', pid: process.pid, version: context.version})
      const board = createRunBoard(context.reporter, phases, usualDurations(journal.earlier))
      const ids = new Set(chosen.map(({id}) => id))
      const outcomes = await applyPhases({context, phases, chosen: ids, journal, state, task: board.task})
      await board.close()
      const failure = failureOf(context, outcomes, 'setup')
      if (failure) throw failure
      const isUnproven = inFlight !== null || outcomes.some(({outcome}) => outcome === 'applied')
      const verified = isUnproven ? await proveBuilt(context, target, journal, outcomes) : null
      journal.append({event: 'run-ended', outcome: 'done'})
      return {phases: outcomes.map(outcome => asResult(outcome, phases)), in_flight: inFlight, verified}
    } catch (error) {
      endBadly(context, journal)
      throw error
    } finally {
      journal.close()
    }
  } finally {
    await lock.release()
  }
}

/** The context of a run under a lock: it ends when somebody else has taken the lock over. */
export function held(context: Context, {lost}: Lock): Context {
  return lost ? {...context, signal: AbortSignal.any([context.signal, lost])} : context
}

/** On a full disk even this line fails; the error that led here says more. */
export function endBadly(context: Context, journal: Journal): void {
  try {
    journal.append({event: 'run-ended', outcome: context.signal.aborted ? 'interrupted' : 'failed'})
  } catch {}
}

function asResult({id, outcome, seconds, why}: PhaseOutcome, phases: readonly Phase[]): SetupPhase {
  if (outcome !== 'ready' && outcome !== 'applied' && outcome !== 'waiting') {
    throw new MlvError('MLV_BUG', `${id} ended as ${outcome}, which is not an end of setup.`)
  }
  const summary = phases.find(phase => phase.id === id)?.summary ?? ''
  return {id, summary, outcome, why: why ?? null, seconds, plan: []}
}
