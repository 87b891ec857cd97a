import type {Traces} from '../types/traces.js'

const REMOVE_DEADLINE_MS = 30_000

export interface TraceList extends Traces {
  /** Removes everything, newest first, and returns what could not be removed and why. */
  removeAll(): Promise<readonly string[]>
}

/** Has a deadline of its own: an interrupted verification still removes what it made. */
export function createTraces(): TraceList {
  const entries: {what: string; remove: (signal: AbortSignal) => Promise<void>}[] = []
  return {
    add(what, remove) {
      entries.push({what, remove})
    },
    async removeAll() {
      const signal = AbortSignal.timeout(REMOVE_DEADLINE_MS)
      const left: string[] = []
      for (const {what, remove} of entries.reverse()) {
        try {
          await remove(signal)
        } catch (error) {
          left.push(`${what} (${(error as Error).message})`)
        }
      }
      return left
    },
  }
}
