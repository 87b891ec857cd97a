import type {JobEvent} from '../types/job.js'
import {formatDuration} from '../ui/duration.js'
import {createEta, type Eta, progressBar} from '../ui/progress-bar.js'
import type {LiveArea, Reporter} from '../ui/reporter.js'
import type {OutputLine} from './output-lines.js'
import type {JobState} from './states.js'
import {createSweepView, type SweepEnd, type SweepStart, type SweepView} from './sweep-view.js'

type EventOf<Kind extends JobEvent['event']> = Extract<JobEvent, {event: Kind}>

/** What the events of a job came to. */
export interface Progress {
  state: JobState | undefined
  result: EventOf<'result'> | undefined
  failure: EventOf<'failed'> | undefined
  stop: EventOf<'stopped'> | undefined
  /** The metric that the epochs are judged by, in order, with its name. */
  readonly curve: number[]
  curveName: string
  /** Of a comparison of numbers of processes alone. */
  scaling?: EventOf<'scaling'>
  /** Of a sweep alone. */
  sweep?: {readonly start: SweepStart; end?: SweepEnd}
}

export interface FollowView {
  readonly progress: Progress
  show(line: OutputLine): void
}

/** Shows a job's output as it comes: epochs as a line each, a bar with what is left, everything else as it is. */
export function createFollowView(live: LiveArea, {mode, symbols}: Pick<Reporter, 'mode' | 'symbols'>): FollowView {
  const bar = (share: number) => progressBar(share, 24, symbols.isAscii)
  const progress: Progress = {
    state: undefined,
    result: undefined,
    failure: undefined,
    stop: undefined,
    curve: [],
    curveName: '',
  }
  let epochs = 1
  let eta: Eta | undefined
  let sweep: SweepView | undefined
  const said = new Set<string>()
  const once = (text: string) => {
    if (!said.has(text)) live.line(text)
    said.add(text)
  }
  const onEvent = (event: JobEvent): void => {
    switch (event.event) {
      case 'state':
        progress.state = event.state
        once(`${event.state}: ${event.message}`)
        return
      case 'start':
        epochs = event.epochs
        eta = createEta(event.epochs)
        live.line(startLine(event))
        return
      case 'resumed':
        live.line(`Going on after epoch ${event.epoch} from its checkpoint.`)
        return
      case 'progress':
        live.set(barLine(bar, event, epochs, eta?.text() ?? ''))
        return
      case 'epoch':
        eta?.update(event.epoch)
        takePoint(progress, event)
        live.line(epochLine(event))
        live.set(barLine(bar, {...event, epoch: event.epoch + 1, step: 0, steps: 1}, epochs, eta?.text() ?? ''))
        return
      case 'result':
        progress.result = event
        return
      case 'failed':
        progress.failure = event
        return
      case 'stopped':
        progress.stop = event
        return
      case 'checkpoint':
      case 'measured':
        return
      case 'scaling':
        progress.scaling = event
        return
      case 'sweep':
        progress.sweep = {start: event}
        sweep = createSweepView(event, live, {mode, symbols})
        return
      case 'trial':
        sweep?.trial(event)
        return
      case 'sweep_end':
        if (progress.sweep) progress.sweep.end = event
        sweep?.end()
        return
    }
  }
  return {
    progress,
    show: line => (line.kind === 'event' ? onEvent(line.event) : live.line(line.text)),
  }
}

function startLine({dataset, device, epochs, images, model, parameters}: EventOf<'start'>): string {
  const count = parameters.toLocaleString('en-US')
  const parts = images && `${images.train} images to train, ${images.val} to validate, ${images.test} to test`
  return `${model} (${count} parameters) on ${device}; ${dataset}${parts ? `: ${parts}` : ''}; ${epochs} epochs`
}

/** Fits into 80 columns; the speed is in the bar. */
function epochLine(event: EventOf<'epoch'>): string {
  const width = String(event.epochs).length
  const metrics = Object.entries(event.metrics)
    .filter(([name]) => name !== 'lr')
    .map(([name, value]) => `${name} ${format(value)}`)
  const best = event.best?.epoch === event.epoch ? '  best' : ''
  return `epoch ${String(event.epoch).padStart(width)}/${event.epochs}  ${metrics.join('  ')}  ${formatDuration(event.seconds * 1000)}${best}`
}

function barLine(
  bar: (share: number) => string,
  {epoch, images_per_second, step, steps}: {epoch: number; step: number; steps: number; images_per_second: number},
  epochs: number,
  left: string,
): string {
  const share = (epoch - 1 + step / steps) / epochs
  const rate = images_per_second > 0 ? `${Math.round(images_per_second)} images/s` : ''
  return [`${bar(share)} epoch ${Math.min(epoch, epochs)}/${epochs}`, rate, left].filter(Boolean).join('  ')
}

function takePoint(progress: Progress, {metrics}: EventOf<'epoch'>): void {
  progress.curveName ||= ['val_accuracy', 'val_loss', 'train_loss'].find(name => name in metrics) ?? ''
  const value = metrics[progress.curveName]
  if (typeof value === 'number') progress.curve.push(value)
}

function format(value: number | null): string {
  return value === null ? 'not a number' : value.toFixed(4)
}
