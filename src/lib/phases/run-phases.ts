import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {Phase, PhaseId, Step} from '../types/phase.js'
import {builtSchema, type StateStore} from '../types/state.js'
import type {Task} from '../ui/reporter.js'
import type {Journal} from './journal.js'
import type {RunOutcome} from './journal-events.js'
import {lookAt} from './look.js'
import {inOrder} from './registry.js'

/** `ready`: nothing to do. `applied`: done now. `waiting`: not tried, for something that it needs is not there. */
export type PhaseOutcomeKind = 'ready' | 'applied' | 'removed' | 'failed' | 'interrupted' | 'waiting'

export interface PhaseOutcome {
  readonly id: PhaseId
  readonly outcome: PhaseOutcomeKind
  readonly why?: string
  readonly seconds: number
  readonly steps: readonly {readonly id: string; readonly title: string; readonly seconds: number}[]
  readonly error?: unknown
}

export interface RunPhasesOptions {
  readonly context: Context
  /** Closed under `needs`. */
  readonly phases: readonly Phase[]
  /** Those that may be changed; the others are only looked at. */
  readonly chosen: ReadonlySet<PhaseId>
  readonly journal: Journal
  readonly state: StateStore
  /** What is shown of a phase. */
  task(id: PhaseId): Task
}

/** How long a step may take to end after an interrupt before it is left behind. */
const UNWIND_MS = 20_000

/** Brings each phase to `ready` as soon as all that it needs is; what is independent runs at the same time. */
export async function applyPhases(options: RunPhasesOptions): Promise<readonly PhaseOutcome[]> {
  const started = new Map<PhaseId, Promise<PhaseOutcome>>()
  for (const phase of inOrder(options.phases)) {
    const needs = phase.needs.map(id => started.get(id) as Promise<PhaseOutcome>)
    started.set(phase.id, applyAfter(needs, phase, options))
  }
  return Promise.all(started.values())
}

async function applyAfter(
  needs: readonly Promise<PhaseOutcome>[],
  phase: Phase,
  options: RunPhasesOptions,
): Promise<PhaseOutcome> {
  const task = options.task(phase.id)
  const missing = (await Promise.all(needs)).find(({outcome}) => outcome !== 'ready' && outcome !== 'applied')
  if (missing) return skip(task, phase, `waits for ${missing.id}`)
  return guarded(options, phase, task, async () => {
    const {context} = options
    task.start()
    const state = await lookAt(context, phase)
    if (state.kind === 'ready') {
      task.succeed(state.detail ?? '')
      return {outcome: 'ready', steps: []}
    }
    const why = state.kind === 'drifted' ? state.why : 'not there yet'
    if (!options.chosen.has(phase.id)) {
      task.skip(`${why}; it is not part of this run`)
      return {outcome: 'waiting', why, steps: []}
    }
    // Said for good: what changes from what to what, and what somebody had changed by hand.
    if (state.kind === 'drifted') task.stage(why)
    const steps = await runSteps(options, phase, task, await phase.apply(context))
    await options.state.write(`${phase.id}.built`, builtSchema, {at: new Date().toISOString()})
    const detail = await proveReady(context, phase)
    return {outcome: 'applied', steps, ...(detail === undefined ? {} : {why: detail})}
  })
}

/** Removes phases in reverse: what stands on a phase goes before it. One that fails does not keep the others. */
export async function destroyPhases(
  options: RunPhasesOptions & {readonly deleteData: boolean},
): Promise<readonly PhaseOutcome[]> {
  const started = new Map<PhaseId, Promise<PhaseOutcome>>()
  for (const phase of [...inOrder(options.phases)].reverse()) {
    const dependents = options.phases.filter(other => other.needs.includes(phase.id))
    const before = dependents.map(({id}) => started.get(id) as Promise<PhaseOutcome>)
    started.set(phase.id, destroyAfter(before, phase, options))
  }
  return Promise.all(started.values())
}

async function destroyAfter(
  before: readonly Promise<PhaseOutcome>[],
  phase: Phase,
  options: RunPhasesOptions & {readonly deleteData: boolean},
): Promise<PhaseOutcome> {
  const task = options.task(phase.id)
  await Promise.all(before)
  return guarded(options, phase, task, async () => {
    const {context, deleteData} = options
    const planned = await phase.destroy(context, {deleteData})
    if (planned.length === 0) {
      task.skip('nothing to remove')
      return {outcome: 'ready', steps: []}
    }
    task.start()
    return {outcome: 'removed', steps: await runSteps(options, phase, task, planned)}
  })
}

type Ending = Pick<PhaseOutcome, 'outcome' | 'steps'> & {readonly why?: string}

/** Journals a phase's end, however it ends; never throws, so that the phases beside it can finish. */
async function guarded(
  {context, journal}: RunPhasesOptions,
  phase: Phase,
  task: Task,
  work: () => Promise<Ending>,
): Promise<PhaseOutcome> {
  const since = performance.now()
  const elapsed = () => performance.now() - since
  const journalEnd = (outcome: RunOutcome) =>
    journal.append({event: 'phase-ended', phase: phase.id, outcome, ms: Math.round(elapsed())})
  try {
    context.signal.throwIfAborted()
    const ending = await work()
    if (ending.outcome === 'applied' || ending.outcome === 'removed') {
      journalEnd('done')
      task.succeed(ending.why ?? (ending.outcome === 'removed' ? 'removed' : ''))
    }
    return {id: phase.id, seconds: inSeconds(elapsed()), ...ending}
  } catch (error) {
    const isInterrupt = context.signal.aborted
    const why = isInterrupt ? 'interrupted' : error instanceof Error ? error.message : String(error)
    task.fail(why)
    try {
      journalEnd(isInterrupt ? 'interrupted' : 'failed')
    } catch {
      // The journal's own failure (a full disk) is the error on its way up already, or will be at the next line.
    }
    const outcome = isInterrupt ? 'interrupted' : 'failed'
    return {id: phase.id, outcome, why, seconds: inSeconds(elapsed()), steps: [], error}
  }
}

async function runSteps(
  {context, journal}: RunPhasesOptions,
  phase: Phase,
  task: Task,
  steps: readonly Step[],
): Promise<PhaseOutcome['steps']> {
  const done: {id: string; title: string; seconds: number}[] = []
  if (steps.length > 0) journal.append({event: 'phase-started', phase: phase.id})
  for (const {id, title, run} of steps) {
    context.signal.throwIfAborted()
    journal.append({event: 'step-started', phase: phase.id, step: id, title})
    task.stage(title)
    const since = performance.now()
    const end = (outcome: RunOutcome) =>
      journal.append({
        event: 'step-ended',
        phase: phase.id,
        step: id,
        outcome,
        ms: Math.round(performance.now() - since),
      })
    try {
      await untilUnwound(context.signal, run({update: detail => task.update(detail)}))
    } catch (error) {
      end(context.signal.aborted ? 'interrupted' : 'failed')
      throw error
    }
    end('done')
    done.push({id, title, seconds: inSeconds(performance.now() - since)})
  }
  return done
}

/** The step's own end; after an interrupt it is waited for, so that its clean-up finishes, but not for ever. */
async function untilUnwound(signal: AbortSignal, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let onAbort = () => {}
  const gaveUp = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(signal.reason), UNWIND_MS)
    }
    signal.addEventListener('abort', onAbort, {once: true})
  })
  try {
    await Promise.race([work, gaveUp])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

async function proveReady(context: Context, phase: Phase): Promise<string | undefined> {
  const state = await lookAt(context, phase)
  if (state.kind === 'ready') return state.detail
  const why = state.kind === 'drifted' ? state.why : 'it is not there'
  throw new MlvError('MLV_PHASE_UNPROVEN', `${phase.id} ran to its end, but the proof that it works fails: ${why}.`, {
    tryThis: [context.command('doctor'), context.command(`setup --from ${phase.id.slice(0, 2)}`)],
  })
}

function skip(task: Task, phase: Phase, why: string): PhaseOutcome {
  task.skip(why)
  return {id: phase.id, outcome: 'waiting', why, seconds: 0, steps: []}
}

function inSeconds(ms: number): number {
  return Math.round(ms / 10) / 100
}
