import {formatDuration} from './duration.js'
import type {BoardOptions, Task, TaskOptions} from './reporter.js'
import {pad, textWidth, truncate} from './text-width.js'
import type {Theme} from './theme.js'

type State = 'waiting' | 'running' | 'done' | 'skipped' | 'failed'

interface Row {
  readonly title: string
  readonly options: TaskOptions
  state: State
  stage: string
  detail: string
  since: number
  ms: number
}

export interface TaskList {
  add(title: string, options: TaskOptions): Task
  /** What is shown while it is live. */
  lines(columns: number): readonly string[]
  /** What stays when it is over: one line a task. */
  lastLines(columns: number): readonly string[]
}

const LONGEST_TITLE = 52
const INDENT = '  '

/** Turns tasks into lines: what is done is one line with its time, what runs says what it does, what waits says for what. */
export function createTaskList(theme: Theme, options: BoardOptions, changed: () => void): TaskList {
  const rows: Row[] = []
  const startedAt = performance.now()

  const titleWidth = () => Math.min(LONGEST_TITLE, Math.max(0, ...rows.map(({title}) => textWidth(title))))
  const render = (columns: number) => rows.flatMap(row => renderRow(theme, row, titleWidth(), columns))
  return {
    add(title, taskOptions) {
      const row: Row = {title, options: taskOptions, state: 'waiting', stage: '', detail: '', since: 0, ms: 0}
      rows.push(row)
      changed()
      return taskOf(row, changed)
    },
    lines(columns) {
      const elapsed = `${INDENT}${formatDuration(performance.now() - startedAt)}`
      const footer = options.footer?.() ?? ''
      const isLong = performance.now() - startedAt > 2000
      const last = isLong && options.footer ? [theme.dim(footer ? `${elapsed}, ${footer}` : elapsed)] : []
      return [...render(columns), ...last]
    },
    lastLines: columns => render(columns),
  }
}

function taskOf(row: Row, changed: () => void): Task {
  const end = (state: State) => (text?: string) => {
    row.ms = row.since === 0 ? 0 : performance.now() - row.since
    row.state = state
    row.stage = ''
    row.detail = text ?? ''
    changed()
  }
  return {
    start() {
      row.state = 'running'
      row.since = performance.now()
      row.detail = ''
      changed()
    },
    stage(title) {
      row.stage = title
      row.detail = ''
      changed()
    },
    update(detail) {
      row.detail = detail
      changed()
    },
    succeed: end('done'),
    skip: end('skipped'),
    fail: end('failed'),
  }
}

function renderRow(theme: Theme, row: Row, titleWidth: number, columns: number): readonly string[] {
  const {detail, options, stage, state, title} = row
  const symbol = symbolOf(theme, row)
  const time = timeOf(row)
  const name = pad(truncate(title, titleWidth, theme.symbols.ellipsis), titleWidth)
  const indent = INDENT.length * 2 + textWidth(theme.symbols.done) + titleWidth + 1
  const room = Math.max(8, columns - indent - textWidth(time) - INDENT.length - 1)
  const summary = options.summary ?? ''
  const text = state === 'running' ? stage || detail || summary : detail || summary
  const shown = truncate(text, room, theme.symbols.ellipsis)
  const styled = state === 'failed' ? theme.bad(shown) : state === 'running' ? shown : theme.dim(shown)
  const title_ = state === 'running' ? theme.strong(name) : state === 'waiting' ? theme.dim(name) : name
  const gap = ' '.repeat(Math.max(1, room - textWidth(shown) + INDENT.length))
  const line = `${INDENT}${symbol} ${title_}${INDENT}${styled}${time ? gap + theme.dim(time) : ''}`.trimEnd()
  if (state !== 'running' || stage === '' || detail === '') return [line]
  const below = truncate(detail, Math.max(8, columns - indent - 4), theme.symbols.ellipsis)
  return [line, `${' '.repeat(indent)}${theme.dim(`${theme.symbols.isAscii ? '>' : '└'} ${below}`)}`]
}

function symbolOf({accent, bad, dim, good, symbols}: Theme, {since, state}: Row): string {
  if (state === 'done') return good(symbols.done)
  if (state === 'failed') return bad(symbols.failed)
  if (state === 'skipped') return dim(symbols.skipped)
  if (state === 'waiting') return dim(symbols.waiting)
  const frame = Math.floor((performance.now() - since) / 80) % symbols.running.length
  return accent(symbols.running[frame] ?? '')
}

function timeOf({ms, options, since, state}: Row): string {
  if (state === 'waiting' || since === 0) return ''
  if (state !== 'running') return formatDuration(ms)
  const elapsed = performance.now() - since
  // Below a second nobody can read it.
  if (elapsed < 1000) return ''
  const usual =
    options.usualMs === undefined || options.usualMs < 2000 ? '' : `, usually ${formatDuration(options.usualMs)}`
  return formatDuration(elapsed) + usual
}
