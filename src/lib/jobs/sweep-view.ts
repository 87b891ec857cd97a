import type {JobEvent} from '../types/job.js'
import {formatDuration} from '../ui/duration.js'
import {createEta, type Eta, progressBar} from '../ui/progress-bar.js'
import type {LiveArea, Reporter} from '../ui/reporter.js'
import type {Symbols} from '../ui/symbols.js'
import {type Column, formatTable} from '../ui/table.js'
import {truncate} from '../ui/text-width.js'

type EventOf<Kind extends JobEvent['event']> = Extract<JobEvent, {event: Kind}>
export type SweepStart = EventOf<'sweep'>
export type SweepEnd = EventOf<'sweep_end'>
type Trial = EventOf<'trial'>

const ROWS = 10
const ended = new Set<Trial['state']>(['finished', 'stopped_early', 'failed'])
const words: Readonly<Record<Trial['state'], string>> = {
  waiting: 'waiting',
  running: 'running',
  finished: 'finished',
  stopped_early: 'stopped early',
  failed: 'failed',
  interrupted: 'interrupted',
}

export interface SweepView {
  trial(event: Trial): void
  end(): void
}

/** Shows a sweep: a live table in a terminal, where only what stands out leaves a line; elsewhere each trial does. */
export function createSweepView(
  start: SweepStart,
  live: LiveArea,
  {mode, symbols}: Pick<Reporter, 'mode' | 'symbols'>,
): SweepView {
  const isTerminal = mode === 'terminal'
  const trials = new Map<number, Trial>()
  const eta = createEta(start.trials - start.kept)
  let best: {trial: number; value: number} | undefined =
    start.best && start.best.value !== null ? {trial: start.best.trial, value: start.best.value} : undefined
  live.line(startLine(start))
  const frame = () => live.set(columns => table(start, {trials: [...trials.values()], best, eta, symbols}, columns))
  return {
    trial(event) {
      const before = trials.get(event.trial)
      const known = {...event, params: event.params ?? before?.params ?? null}
      trials.set(event.trial, known)
      const isBetter = event.best !== null && isAhead(start, event.best, best?.value)
      if (isBetter && event.best !== null) best = {trial: event.trial, value: event.best}
      if (ended.has(event.state) && event.state !== before?.state) {
        eta.update([...trials.values()].filter(({state}) => ended.has(state)).length)
        const isBest = best?.trial === event.trial
        if (!isTerminal || isBest || event.state === 'failed') live.line(endLine(start, known, isBest))
      }
      if (event.state === 'interrupted' && !isTerminal) live.line(endLine(start, known, false))
      frame()
    },
    end() {
      live.set('')
    },
  }
}

function isAhead({mode}: SweepStart, value: number, best: number | undefined): boolean {
  if (best === undefined) return true
  return mode === 'max' ? value > best : value < best
}

function startLine({
  algorithm,
  concurrency,
  epochs,
  kept,
  metric,
  mode,
  rungs,
  scheduler,
  trials,
  varied,
}: SweepStart): string {
  const aim = mode === 'max' ? 'highest' : 'lowest'
  const stops = rungs.length > 0 ? `${scheduler} after epoch ${rungs.join(', ')}` : scheduler
  const before = kept > 0 ? ` (${kept} of them from before)` : ''
  return [
    `${trials} trials${before} of at most ${epochs} epochs, ${concurrency} at a time, for the ${aim} ${metric}`,
    `Varied: ${varied.join(', ')}; ${algorithm}, ${stops}`,
  ].join('\n')
}

function endLine({metric}: SweepStart, trial: Trial, isBest: boolean): string {
  const said = Object.entries(trial.params ?? {}).map(([name, value]) => `${shorten(name)} ${short(value)}`)
  const score = trial.best === null ? '' : `  ${metric} ${number(trial.best)}${isBest ? '  best' : ''}`
  const why = trial.state === 'failed' && trial.reason ? `  ${trial.reason}` : ''
  const where = `${trial.epoch}/${trial.epochs}`
  return `trial ${trial.trial} ${words[trial.state]} ${where}${score}  ${formatDuration(trial.seconds * 1000)}  ${said.join(' ')}${why}`
}

interface Shown {
  readonly trials: readonly Trial[]
  readonly best: {trial: number; value: number} | undefined
  readonly eta: Eta
  readonly symbols: Symbols
}

/** The header, then the best and those that run; parameters that do not fit are left out, the last first. */
function table(start: SweepStart, {best, eta, symbols, trials}: Shown, columns: number): string {
  const count = (state: Trial['state']) => trials.filter(trial => trial.state === state).length
  const done = start.kept + trials.filter(({state}) => ended.has(state)).length
  const header = [
    `${progressBar(done / start.trials, 16, symbols.isAscii)} ${done}/${start.trials} done`,
    `${count('running')} running`,
    `${count('stopped_early')} stopped early`,
    ...(count('failed') > 0 ? [`${count('failed')} failed`] : []),
    ...(best ? [`best ${number(best.value)} (trial ${best.trial})`] : []),
    ...(eta.text() ? [eta.text()] : []),
  ].join(', ')
  const sign = start.mode === 'max' ? -1 : 1
  const order = (trial: Trial) => (trial.best === null ? Number.POSITIVE_INFINITY : sign * trial.best)
  const running = trials.filter(({state}) => state === 'running').slice(-ROWS / 2)
  const top = trials
    .filter(trial => !running.includes(trial) && trial.best !== null)
    .sort((a, b) => order(a) - order(b))
    .slice(0, ROWS - running.length)
  for (let shown = start.varied.length; ; shown -= 1) {
    const text = rows(start, [...top, ...running], start.varied.slice(0, shown))
    const width = Math.max(...text.split('\n').map(line => line.length))
    if (width <= columns || shown === 0) return [truncate(header, columns, symbols.ellipsis), text].join('\n')
  }
}

function rows(start: SweepStart, trials: readonly Trial[], names: readonly string[]): string {
  const titles: Column[] = [
    {title: 'TRIAL', align: 'right'},
    {title: 'STATE'},
    {title: 'EPOCH', align: 'right'},
    {title: start.metric.toUpperCase(), align: 'right'},
    ...names.map(name => ({title: shorten(name)})),
  ]
  return formatTable(
    titles,
    trials.map(trial => [
      String(trial.trial),
      words[trial.state],
      `${trial.epoch}/${trial.epochs}`,
      trial.best === null ? '' : number(trial.best),
      ...names.map(name => (trial.params && name in trial.params ? short(trial.params[name]) : '-')),
    ]),
    {width: 10_000},
  )
}

/** `optimizer.lr` → `lr`. */
function shorten(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1) === 'name' ? name : name.slice(name.lastIndexOf('.') + 1)
}

export function short(value: unknown): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(3))) : String(value)
}

export function number(value: number): string {
  return value.toFixed(4)
}
