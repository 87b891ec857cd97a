import type {Environment} from '../profile/env.js'
import type {Output} from './plain-reporter.js'
import type {LiveArea, Reporter, TaskBoard} from './reporter.js'
import {createScreen, type Screen} from './screen.js'
import {createTaskList} from './task-list.js'
import {createTheme} from './theme.js'

const FRAME_MS = 80

export interface TerminalStreams {
  readonly stdout: Output
  readonly stderr: NodeJS.WriteStream
}

/** Whether stderr is a terminal that may be drawn on: not in CI, whose logs only look like one. */
export function isLiveTerminal(environment: Environment, stderr: {readonly isTTY?: boolean}): boolean {
  return stderr.isTTY === true && !environment.CI && environment.TERM !== 'dumb'
}

/** For people: lists and bars that are drawn in place, on stderr. `MLV_NO_SPINNER` keeps them still. */
export function createTerminalReporter(environment: Environment, {stderr, stdout}: TerminalStreams): Reporter {
  const isStill = Boolean(environment.MLV_NO_SPINNER)
  const found = createTheme(environment, {isTerminal: true})
  const [first = ''] = found.symbols.running
  const theme = isStill ? {...found, symbols: {...found.symbols, running: [found.symbols.isAscii ? '*' : '▸']}} : found
  const screen = createScreen(stderr, {everyMs: isStill || first === '' ? 0 : FRAME_MS})
  const line = (text: string) => screen.above(() => stderr.write(`${text}\n`))
  return {
    mode: 'terminal',
    symbols: theme.symbols,
    note: line,
    warn: message => line(`${theme.warn(`${theme.symbols.warning} Warning:`)} ${message}`),
    result: text => screen.above(() => stdout.write(text.endsWith('\n') ? text : `${text}\n`)),
    tasks: (options = {}) => {
      const list = createTaskList(theme, options, screen.refresh)
      const pane = list.lines
      screen.open(pane)
      return {
        add: (title, taskOptions = {}) => list.add(title, taskOptions),
        // What follows, a result or an error, stands apart.
        close: () => screen.close(pane, [...list.lastLines(stderr.columns || 80), '']),
      } satisfies TaskBoard
    },
    live: () => liveArea(screen, line),
  }
}

function liveArea(screen: Screen, line: (text: string) => void): LiveArea {
  let show: string | ((columns: number) => string) = ''
  const pane = (columns: number) => {
    const text = typeof show === 'string' ? show : show(columns)
    return text === '' ? [] : text.split('\n')
  }
  screen.open(pane)
  return {
    set(next) {
      show = next
      screen.refresh()
    },
    line,
    close() {
      show = ''
      // Nothing of it stays; a frame that is still being loaded has nothing to take back.
      void screen.close(pane, [])
    },
  }
}
