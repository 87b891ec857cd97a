import type {Context} from '../context.js'
import type {Connection} from '../types/target.js'

/** In the order in which they are shown. */
export const canaryIds = [
  'sign-in',
  'foreign-host',
  'tracking',
  'jobs-user',
  'registry',
  'disk',
  'ray-sign-in',
  'ray-job',
  'model',
] as const

export type CanaryId = (typeof canaryIds)[number]

/** `core` is MLflow alone, which phase 06 proves before Ray exists; `all` is everything that setup builds. */
export type VerifyScope = 'core' | 'all'

/** What the canaries of one verification work with. */
export interface Bench {
  readonly context: Context
  readonly connection: Connection
  /** Unique to this verification; part of the name of whatever exists for its time. */
  readonly name: string
  /** Ends a canary: its own deadline, or Ctrl-C. */
  readonly signal: AbortSignal
  readonly traces: Traces
  /** What several canaries need: made by the first that asks, awaited by the others. */
  share<T>(key: string, make: () => Promise<T>): Promise<T>
}

/** What has to be removed again, newest first, also after a failure or Ctrl-C. */
export interface Traces {
  /** Call it before the thing is made: one that is not there is no error. */
  add(what: string, remove: (signal: AbortSignal) => Promise<void>): void
}

/** One real action that proves that something works. */
export interface Canary {
  readonly id: CanaryId
  /** What is true when it passes, such as "Ray refuses a call without its token". */
  readonly title: string
  readonly scope: VerifyScope
  readonly deadlineSeconds: number
  /** Returns one line of what was seen; throws with one sentence when it is not as the title says. */
  run(bench: Bench): Promise<string>
}

export interface CanaryResult {
  readonly id: CanaryId | 'traces'
  readonly title: string
  readonly state: 'passed' | 'failed'
  readonly seconds: number
  readonly detail: string
  readonly try_this: readonly string[]
}

export interface VerifyResult {
  readonly profile: string
  readonly scope: VerifyScope
  readonly passed: number
  readonly failed: number
  readonly seconds: number
  readonly canaries: readonly CanaryResult[]
}
