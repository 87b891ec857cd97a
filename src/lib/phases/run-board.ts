import type {Phase, PhaseId} from '../types/phase.js'
import {formatDuration} from '../ui/duration.js'
import type {Reporter, Task} from '../ui/reporter.js'

export interface RunBoard {
  task(id: PhaseId): Task
  close(): Promise<void>
}

/** The list of phases that people watch, with what is left by the durations of earlier runs. */
export function createRunBoard(
  reporter: Reporter,
  phases: readonly Phase[],
  usual: ReadonlyMap<string, number>,
  isRemoval = false,
): RunBoard {
  const clocks = new Map<string, {since?: number; isOver: boolean}>()
  const left = () => remaining(phases, usual, clocks)
  const board = reporter.tasks({
    footer: () => {
      const ms = left()
      return ms === undefined || ms < 1000 ? '' : `about ${formatDuration(Math.round(ms / 1000) * 1000)} left`
    },
  })
  const tasks = new Map<PhaseId, Task>()
  const sayWhoWaits: (() => void)[] = []
  for (const {id, needs, summary} of phases) {
    const usualMs = usual.get(id)
    const clock: {since?: number; isOver: boolean} = {isOver: false}
    clocks.set(id, clock)
    const inner = board.add(id, {summary, ...(usualMs === undefined ? {} : {usualMs})})
    const over = (end: (text: string) => void) => (text?: string) => {
      clock.isOver = true
      end(text ?? '')
      for (const say of sayWhoWaits) say()
    }
    sayWhoWaits.push(() => {
      if (clock.since !== undefined || clock.isOver) return
      const open = (isRemoval ? dependentsOf(phases, id) : needs).filter(need => clocks.get(need)?.isOver === false)
      inner.update(open.length === 0 ? '' : `waits for ${open.join(', ')}`)
    })
    tasks.set(id, {
      start() {
        clock.since = performance.now()
        inner.start()
      },
      stage: inner.stage,
      update: inner.update,
      succeed: over(inner.succeed),
      skip: over(inner.skip),
      fail: over(inner.fail),
    })
  }
  for (const say of sayWhoWaits) say()
  return {task: id => tasks.get(id) as Task, close: () => board.close()}
}

function dependentsOf(phases: readonly Phase[], id: PhaseId): PhaseId[] {
  return phases.filter(({needs}) => needs.includes(id)).map(phase => phase.id)
}

/** Along the slowest path of what is not over; undefined when a phase on it has never been timed. */
function remaining(
  phases: readonly Phase[],
  usual: ReadonlyMap<string, number>,
  clocks: ReadonlyMap<string, {readonly since?: number; readonly isOver: boolean}>,
): number | undefined {
  const finish = new Map<string, number>()
  for (const {id, needs} of phases) {
    const clock = clocks.get(id)
    const expected = usual.get(id)
    const spent = clock?.since === undefined ? 0 : performance.now() - clock.since
    // Longer than ever before: nobody knows.
    if (!clock?.isOver && (expected === undefined || spent > expected * 1.5)) return undefined
    const own = clock?.isOver ? 0 : Math.max(0, (expected ?? 0) - spent)
    finish.set(id, own + Math.max(0, ...needs.map(need => finish.get(need) ?? 0)))
  }
  return Math.max(0, ...finish.values())
}
