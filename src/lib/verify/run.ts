import {randomBytes} from 'node:crypto'

import type {Context} from '../context.js'
import {describeFileError, MlvError} from '../errors.js'
import type {Connection} from '../types/target.js'
import {canaries} from './canaries/all.js'
import type {Bench, Canary, CanaryId, CanaryResult, Seen, VerifyResult, VerifyScope} from './canary.js'
import {createTraces} from './traces.js'

export interface VerifyOptions {
  readonly context: Context
  readonly connection: Connection
  readonly scope: VerifyScope
  /** Only these canaries; all of the scope by default. */
  readonly only?: readonly CanaryId[] | undefined
  /** All but these. */
  readonly without?: readonly CanaryId[] | undefined
  /** Whether to wait minutes for what happens by itself, such as a worker that goes. */
  readonly isPatient?: boolean
}

/** Runs the canaries, all at once, and removes what they made. Returns their results; a failed one does not throw. */
export async function verifyProfile(options: VerifyOptions): Promise<VerifyResult> {
  const {connection, context, isPatient = false, scope} = options
  const began = performance.now()
  const traces = createTraces()
  const name = `mlv-verify-${randomBytes(4).toString('hex')}`
  const chosen = canaries.filter(
    canary =>
      (scope === 'all' || canary.scope === 'core') &&
      !options.without?.includes(canary.id) &&
      (options.only?.includes(canary.id) ?? canary.isWanted?.(connection) ?? true),
  )
  const share = createShare()
  const board = context.reporter.tasks()
  const results = await Promise.all(
    chosen.map(async canary => {
      const task = board.add(canary.title)
      task.start()
      const result = await runCanary(canary, {context, connection, isPatient, name, traces, share})
      if (result.state === 'failed') task.fail(result.detail)
      else if (result.state === 'skipped') task.skip(result.detail)
      else
        task.succeed(result.state === 'warned' ? `${context.reporter.symbols.warning} ${result.detail}` : result.detail)
      return result
    }),
  )
  const left = await traces.removeAll()
  if (left.length > 0) board.add(TRACES_TITLE).fail(left.join('; '))
  await board.close()
  context.signal.throwIfAborted()
  if (left.length > 0) results.push(tracesResult(left, context))
  const count = (wanted: CanaryResult['state']) => results.filter(({state}) => state === wanted).length
  return {
    profile: context.profile.name,
    scope,
    passed: count('passed'),
    warned: count('warned'),
    skipped: count('skipped'),
    failed: count('failed'),
    seconds: secondsSince(began),
    canaries: results,
  }
}

/** The same, for a phase that proves itself: a failed canary is its error. */
export async function proveProfile(options: VerifyOptions): Promise<VerifyResult> {
  const result = await verifyProfile(options)
  const failed = result.canaries.filter(({state}) => state === 'failed')
  if (failed.length === 0) return result
  throw new MlvError('MLV_VERIFY_FAILED', `${failed.length} of ${result.canaries.length} canaries failed.`, {
    details: failed.map(({title, detail}) => `${title}: ${detail}`),
    tryThis: [...new Set([...failed.flatMap(canary => canary.try_this), options.context.command('doctor')])],
  })
}

const TRACES_TITLE = 'What the canaries made is removed'

function tracesResult(left: readonly string[], context: Context): CanaryResult {
  return {
    id: 'traces',
    title: TRACES_TITLE,
    state: 'failed',
    seconds: 0,
    detail: left.join('; '),
    try_this: [context.command('verify')],
  }
}

async function runCanary(canary: Canary, bench: Omit<Bench, 'signal'>): Promise<CanaryResult> {
  const {id, title} = canary
  const began = performance.now()
  const deadline = AbortSignal.timeout(canary.deadlineSeconds * 1000)
  const signal = AbortSignal.any([bench.context.signal, deadline])
  try {
    const seen = canary.isWanted?.(bench.connection) === false ? NOTHING : await canary.run({...bench, signal})
    return {id, title, ...stateOf(seen), seconds: secondsSince(began), try_this: []}
  } catch (thrown) {
    const error = describeFileError(thrown, bench.context.stateDir)
    const detail = deadline.aborted ? `no answer within ${canary.deadlineSeconds} s` : sentence(error)
    const tryThis = error instanceof MlvError ? error.tryThis : []
    return {id, title, state: 'failed', seconds: secondsSince(began), detail, try_this: tryThis}
  }
}

const NOTHING = {skipped: 'this target has nothing of the kind'}

function stateOf(seen: Seen): Pick<CanaryResult, 'detail' | 'state'> {
  if (typeof seen === 'string') return {state: 'passed', detail: seen}
  return 'warning' in seen ? {state: 'warned', detail: seen.warning} : {state: 'skipped', detail: seen.skipped}
}

function createShare(): Bench['share'] {
  const made = new Map<string, Promise<unknown>>()
  return <T>(key: string, make: () => Promise<T>) => {
    const promise = (made.get(key) as Promise<T> | undefined) ?? make()
    made.set(key, promise)
    return promise
  }
}

function sentence(error: unknown): string {
  const {cause, message} = error as Error & {cause?: {message?: string}}
  // `fetch failed` says nothing; its cause does.
  return message === 'fetch failed' && cause?.message ? cause.message : (message ?? String(error))
}

function secondsSince(began: number): number {
  return Math.round(performance.now() - began) / 1000
}
