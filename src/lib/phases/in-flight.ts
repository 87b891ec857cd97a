import {hostname} from 'node:os'

import type {Context} from '../context.js'
import type {Lock} from '../types/state.js'
import {ago} from '../ui/duration.js'
import type {Journal} from './journal.js'
import {findInFlight, type InFlight} from './journal-events.js'

/** What the last run left in the middle, as `--json` shows it. */
export interface InFlightResult {
  readonly command: string
  readonly pid: number
  readonly last_seen: string
  readonly steps: readonly {readonly phase: string; readonly title: string}[]
}

const endings = {failed: 'failed', interrupted: 'was interrupted', done: 'ended'} as const

/** The sentence that names what was in flight. */
export function describeInFlight(inFlight: InFlight, by: InFlight['command'], now = new Date()): string {
  const {command, lastSeen, outcome, pid, steps} = inFlight
  const how = outcome ? endings[outcome] : 'ended'
  const where =
    steps.length === 0
      ? 'between two steps'
      : `while ${steps.map(({phase, title}) => `${phase} was '${title}'`).join(' and ')}`
  const next = by === command ? '; going on from there' : ''
  return `The last ${command} ${how} ${where} (pid ${pid}, ${ago(lastSeen, now)})${next}.`
}

/** Says what a run finds on its way in: a dead holder's lock, a corrupt journal, what was in flight. */
export function tellWhatWasFound(
  context: Context,
  by: InFlight['command'],
  {journal, lock}: {journal: Journal; lock: Lock},
): InFlightResult | null {
  const {note, warn} = context.reporter
  if (lock.takenOverFrom) {
    const {command, host, pid, since} = lock.takenOverFrom
    const where = host === hostname() ? '' : ` on ${host}`
    note(`The lock of \`${command}\` (pid ${pid}${where}, since ${since}) was left behind; it is taken over.`)
  }
  if (journal.keptAside) {
    warn(`The journal was damaged. It is kept as ${journal.keptAside}; what could be read goes on.`)
  }
  const inFlight = findInFlight(journal.earlier)
  if (!inFlight) return null
  note(describeInFlight(inFlight, by))
  const {command, lastSeen, pid, steps} = inFlight
  return {command, pid, last_seen: lastSeen.toISOString(), steps}
}
