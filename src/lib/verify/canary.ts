import type {Context} from '../context.js'
import type {Connection} from '../types/target.js'
import type {Traces} from '../types/traces.js'

/** In the order in which they are shown. */
export const canaryIds = [
  'sign-in',
  'foreign-host',
  'tracking',
  'jobs-user',
  'no-grant',
  'replicas',
  'registry',
  'disk',
  'ray-sign-in',
  'ray-job',
  'model',
  'scaling',
  'network-policy',
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
  /** Whether minutes may be spent on what happens by itself. */
  readonly isPatient: boolean
  /** What several canaries need: made by the first that asks, awaited by the others. */
  share<T>(key: string, make: () => Promise<T>): Promise<T>
}

/**
 * One line of what was seen; `warning` where it is less than the title promises and nothing is broken, `skipped` where
 * there is nothing to prove.
 */
export type Seen = string | {readonly warning: string} | {readonly skipped: string}

/** One real action that proves that something works. */
export interface Canary {
  readonly id: CanaryId
  /** What is true when it passes, such as "Ray refuses a call without its token". */
  readonly title: string
  readonly scope: VerifyScope
  readonly deadlineSeconds: number
  /** Whether this platform has what it is about; it has by default. */
  isWanted?(connection: Connection): boolean
  /** Throws with one sentence when it is not as the title says. */
  run(bench: Bench): Promise<Seen>
}

export interface CanaryResult {
  readonly id: CanaryId | 'traces'
  readonly title: string
  readonly state: 'passed' | 'warned' | 'skipped' | 'failed'
  readonly seconds: number
  readonly detail: string
  readonly try_this: readonly string[]
}

export interface VerifyResult {
  readonly profile: string
  readonly scope: VerifyScope
  readonly passed: number
  readonly warned: number
  readonly skipped: number
  readonly failed: number
  readonly seconds: number
  readonly canaries: readonly CanaryResult[]
}
