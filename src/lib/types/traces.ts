/** What has to be removed again, newest first, also after a failure or Ctrl-C. */
export interface Traces {
  /** Call it before the thing is made: one that is not there is no error. */
  add(what: string, remove: (signal: AbortSignal) => Promise<void>): void
}
