import {z} from 'zod'

import type {PhaseId} from './phase.js'

/** Who holds a profile's lock. */
export interface LockHolder {
  readonly pid: number
  readonly host: string
  readonly user: string
  readonly since: string
  readonly command: string
}

export interface Lock {
  /** Whoever held it and died without letting go. */
  readonly takenOverFrom?: LockHolder
  /** Aborted when somebody else has taken it over, as happens to a laptop that slept. */
  readonly lost?: AbortSignal
  release(): Promise<void>
}

/** A phase's id for what it found out; with `.built`, when it was last built. */
export type RecordKey = PhaseId | `${PhaseId}.built`

export const builtSchema = z.object({at: z.iso.datetime()})

/**
 * Where a target keeps what all who work on a profile share: the lock and the record of its phases. Files of the state
 * folder on this machine; a Lease and a ConfigMap on a cluster. Never a secret: those are the target's credentials.
 */
export interface StateStore {
  /** Throws MLV_LOCKED, naming the holder. */
  lock(command: string): Promise<Lock>
  /** Throws MLV_LOCKED when somebody alive holds the lock; takes nothing. */
  ensureUnlocked(): Promise<void>
  /** Undefined where nothing was written, or it cannot be read. */
  read<T>(key: RecordKey, schema: z.ZodType<T>): Promise<T | undefined>
  write<T>(key: RecordKey, schema: z.ZodType<T>, values: T): Promise<void>
  remove(key: RecordKey): Promise<void>
  /** Whether anything was ever set up: otherwise teardown has nothing to do. */
  isThere(): Promise<boolean>
}
