import {z} from 'zod'

import {phaseIds} from '../types/phase.js'

const outcome = z.enum(['done', 'failed', 'interrupted'])
const base = {at: z.iso.datetime(), run: z.string()}
const phase = z.enum(phaseIds)
const ms = z.number()

/** One line of the journal. A line is written and flushed before the thing it announces begins, and after it ended. */
export const journalEventSchema = z.discriminatedUnion('event', [
  z.object({
    ...base,
    event: z.literal('run-started'),
    command: z.enum(['setup', 'teardown']),
    pid: z.int(),
    version: z.string(),
  }),
  z.object({...base, event: z.literal('run-ended'), outcome}),
  z.object({...base, event: z.literal('phase-started'), phase}),
  z.object({...base, event: z.literal('phase-ended'), phase, outcome, ms}),
  z.object({...base, event: z.literal('step-started'), phase, step: z.string(), title: z.string()}),
  z.object({...base, event: z.literal('step-ended'), phase, step: z.string(), outcome, ms}),
])

export type JournalEvent = z.infer<typeof journalEventSchema>
export type RunStarted = Extract<JournalEvent, {event: 'run-started'}>
export type RunOutcome = z.infer<typeof outcome>

type Unstamped<T> = T extends unknown ? Omit<T, 'at' | 'run'> : never

/** An event as the runner states it; the journal adds the time and the run. */
export type NewEvent = Unstamped<JournalEvent>

/** What the last run left in the middle. */
export interface InFlight {
  readonly command: RunStarted['command']
  readonly pid: number
  /** When it was last heard of. */
  readonly lastSeen: Date
  /** How it ended; undefined when it was cut off before it could say. */
  readonly outcome?: RunOutcome
  readonly steps: readonly {readonly phase: string; readonly title: string}[]
}

/** The last run, if it did not come to its end; undefined when there is nothing to go on from. */
export function findInFlight(events: readonly JournalEvent[]): InFlight | undefined {
  const index = events.findLastIndex(({event}) => event === 'run-started')
  const started = events[index]
  if (started?.event !== 'run-started') return undefined
  const own = events.slice(index).filter(({run}) => run === started.run)
  const ended = own.find(event => event.event === 'run-ended')
  if (ended?.event === 'run-ended' && ended.outcome === 'done') return undefined
  const finished = new Set(
    own.flatMap(event =>
      event.event === 'step-ended' && event.outcome === 'done' ? [`${event.phase}/${event.step}`] : [],
    ),
  )
  const steps = own.flatMap(event =>
    event.event === 'step-started' && !finished.has(`${event.phase}/${event.step}`)
      ? [{phase: event.phase, title: event.title}]
      : [],
  )
  return {
    command: started.command,
    pid: started.pid,
    lastSeen: new Date(own.at(-1)?.at ?? started.at),
    ...(ended?.event === 'run-ended' ? {outcome: ended.outcome} : {}),
    steps,
  }
}

/** How long each phase usually took when it had something to do: the median of its last runs, in milliseconds. */
export function usualDurations(events: readonly JournalEvent[]): ReadonlyMap<string, number> {
  const durations = new Map<string, number[]>()
  const ofSetup = new Set(
    events.flatMap(event => (event.event === 'run-started' && event.command === 'setup' ? [event.run] : [])),
  )
  for (const event of events) {
    if (event.event !== 'phase-ended' || event.outcome !== 'done' || !ofSetup.has(event.run)) continue
    durations.set(event.phase, [...(durations.get(event.phase) ?? []), event.ms].slice(-5))
  }
  return new Map([...durations].map(([id, list]) => [id, median(list)]))
}

/** What a shorter journal has to keep: the last run whole, and of earlier ones what the durations are taken from. */
export function compact(events: readonly JournalEvent[]): readonly JournalEvent[] {
  const last = events.findLastIndex(({event}) => event === 'run-started')
  const earlier = events
    .slice(0, Math.max(last, 0))
    .filter(({event}) => event === 'run-started' || event === 'phase-ended')
  return [...earlier.slice(-100), ...events.slice(Math.max(last, 0))]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
