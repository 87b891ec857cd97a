import {rm} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {resolveTarget} from '../targets/resolve.js'
import {type FoundProcess, processesWithVariable} from '../tools/process-table.js'
import {ensureStateFolder} from '../tools/state-folder.js'
import type {Kept, Phase} from '../types/phase.js'
import type {StateStore} from '../types/state.js'
import type {Target} from '../types/target.js'
import {confirmName} from './confirm.js'
import {type InFlightResult, tellWhatWasFound} from './in-flight.js'
import {openJournal} from './journal.js'
import {endOrphans} from './orphans.js'
import {planOf} from './plan.js'
import {describeSteps} from './plan-changes.js'
import {createRunBoard} from './run-board.js'
import {failureOf} from './run-failure.js'
import {destroyPhases} from './run-phases.js'
import {tellRunningJobs} from './running-jobs.js'
import {endBadly, held} from './setup.js'

export interface TeardownOptions {
  readonly context: Context
  readonly deleteData: boolean
  /** The profile's name, given to confirm that its data go. */
  readonly confirm?: string | undefined
  readonly target?: Target
  /** All that the target's setup is made of by default. */
  readonly plan?: readonly Phase[]
}

export interface TeardownPhase {
  readonly id: string
  readonly outcome: 'removed' | 'nothing' | 'planned'
  readonly seconds: number
  readonly plan: readonly string[]
}

export interface TeardownResult {
  readonly profile: string
  readonly target: string
  readonly deleted_data: boolean
  readonly phases: readonly TeardownPhase[]
  /** What stays on purpose, with its price in US dollars a month. */
  readonly kept: readonly {what: string; where: string; bytes: number | null; monthly_price: number | null}[]
  readonly in_flight: InFlightResult | null
}

/** Stops and removes what setup built. Data stay, and are listed, unless they are asked for by the profile's name. */
export async function tearDown(options: TeardownOptions): Promise<TeardownResult> {
  const {confirm, context, deleteData} = options
  // A wrong name is a mistake also where there is nothing to remove.
  if (confirm !== undefined) await confirmName(context, confirm)
  const target = options.target ?? (await resolveTarget(context))
  const phases = options.plan ?? planOf(target)
  const base = {profile: context.profile.name, target: target.name, deleted_data: deleteData}
  if (context.dryRun) {
    const planned = phases.map(async ({destroy, id}): Promise<TeardownPhase> => {
      const plan = describeSteps(await destroy(context, {deleteData}))
      return {id, outcome: plan.length === 0 ? 'nothing' : 'planned', seconds: 0, plan}
    })
    const kept = await keptThings(context, phases, deleteData)
    return {...base, phases: await Promise.all(planned), kept, in_flight: null}
  }
  const state = target.state(context)
  if (!(await state.isThere())) return {...base, deleted_data: false, phases: [], kept: [], in_flight: null}
  if (deleteData && confirm === undefined) await confirmName(context, confirm)
  const run = await runLocked(context, state, phases, deleteData)
  const kept = await keptThings(context, phases, deleteData)
  if (deleteData) await removeStateFolder(context)
  return {...base, ...run, kept}
}

async function runLocked(outer: Context, state: StateStore, phases: readonly Phase[], deleteData: boolean) {
  await ensureStateFolder(outer.stateDir)
  const lock = await state.lock('mlv teardown')
  const context = held(outer, lock)
  try {
    const journal = await openJournal(context.stateDir)
    try {
      await endOrphans(context, journal)
      const inFlight = tellWhatWasFound(context, 'teardown', {journal, lock})
      await tellRunningJobs(context)
      journal.append({event: 'run-started', command: 'teardown', pid: process.pid, version: context.version})
      const board = createRunBoard(context.reporter, [...phases].reverse(), new Map(), true)
      const chosen = new Set(phases.map(({id}) => id))
      const outcomes = await destroyPhases({context, phases, chosen, journal, state, task: board.task, deleteData})
      await board.close()
      const failure = failureOf(context, outcomes, 'teardown')
      const alive = await processesWithVariable(context.exec, 'MLV_STATE_DIR', context.stateDir)
      if (failure && context.signal.aborted) throw failure
      if (failure || alive.length > 0) throw leftoversError(context, failure, alive)
      journal.append({event: 'run-ended', outcome: 'done'})
      const results = outcomes.map(({id, outcome, seconds}): TeardownPhase => {
        return {id, outcome: outcome === 'removed' ? 'removed' : 'nothing', seconds, plan: []}
      })
      return {phases: results, in_flight: inFlight}
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

function leftoversError(context: Context, failure: Error | undefined, alive: readonly FoundProcess[]): MlvError {
  const count = alive.length
  const message =
    count === 0
      ? 'Something of this profile could not be removed.'
      : `${count} ${count === 1 ? 'process' : 'processes'} of this profile could not be ended.`
  return new MlvError('MLV_TEARDOWN_LEFTOVERS', message, {
    details: [
      ...(failure ? [failure.message] : []),
      ...alive.map(({command, pid}) => `pid ${pid}: ${command.slice(0, 90)}`),
    ],
    ...(failure ? {cause: failure} : {}),
    tryThis: [context.command('teardown'), ...(count > 0 ? [`kill -9 ${alive.map(({pid}) => pid).join(' ')}`] : [])],
  })
}

async function keptThings(
  context: Context,
  phases: readonly Phase[],
  deleteData: boolean,
): Promise<TeardownResult['kept']> {
  const lists = await Promise.all(phases.map(phase => phase.kept?.(context, {deleteData}) ?? []))
  return lists.flat().map(({bytes, monthlyPrice, what, where}: Kept) => {
    return {what, where, bytes: bytes ?? null, monthly_price: monthlyPrice ?? null}
  })
}

/** The last thing to go. Only ever `.mlv/<profile>` of the project; where that is a link, the link alone. */
async function removeStateFolder({projectDir, profile, stateDir}: Context): Promise<void> {
  if (stateDir !== join(projectDir, '.mlv', profile.name)) {
    throw new Error(`${stateDir} is not the state folder of a profile.`)
  }
  await rm(stateDir, {recursive: true, force: true})
}
