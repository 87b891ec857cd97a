import type {LiveArea, Reporter, Task, TaskBoard} from './reporter.js'
import {type Symbols, unicodeSymbols} from './symbols.js'

export interface Output {
  write(text: string): unknown
}

const HEARTBEAT_MS = 30_000

/** For pipes, logs and CI: one line per change of state, and a sign of life every 30 s. Never moves a cursor. */
export function createPlainReporter(
  streams: {stdout: Output; stderr: Output},
  symbols: Symbols = unicodeSymbols,
): Reporter {
  const line = (text: string) => {
    streams.stderr.write(`${text}\n`)
  }
  return {
    mode: 'plain',
    symbols,
    note: line,
    warn: message => line(`Warning: ${message}`),
    result: text => {
      streams.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    tasks: () => plainBoard(line, symbols),
    live: () => plainLive(line),
  }
}

/** Under `--json`: notes and warnings still go to stderr; stdout is left to the value. */
export function createJsonReporter(streams: {stdout: Output; stderr: Output}, symbols?: Symbols): Reporter {
  return {...createPlainReporter(streams, symbols), result: () => undefined}
}

/** Under `--quiet`: warnings and the result alone. */
export function createQuietReporter(inner: Reporter): Reporter {
  const nothing = () => undefined
  const task: Task = {fail: nothing, skip: nothing, stage: nothing, start: nothing, succeed: nothing, update: nothing}
  return {
    mode: 'silent',
    symbols: inner.symbols,
    note: nothing,
    warn: inner.warn,
    result: inner.result,
    tasks: () => ({add: () => task, close: async () => undefined}),
    live: () => ({close: nothing, line: nothing, set: nothing}),
  }
}

function plainBoard(line: (text: string) => void, symbols: Symbols): TaskBoard {
  const {done, ellipsis, failed, skipped} = symbols
  const timers = new Set<NodeJS.Timeout>()
  return {
    add(title) {
      let since = 0
      let detail = ''
      let timer: NodeJS.Timeout | undefined
      const seconds = () => `${((performance.now() - since) / 1000).toFixed(1)} s`
      const end = (text: string) => {
        clearInterval(timer)
        if (timer) timers.delete(timer)
        line(text)
      }
      return {
        start() {
          since = performance.now()
          line(`${ellipsis} ${title}`)
          timer = setInterval(
            () => line(`${ellipsis} ${title}: still going after ${seconds()}${detail && ` (${detail})`}`),
            HEARTBEAT_MS,
          )
          timer.unref()
          timers.add(timer)
        },
        stage(text) {
          detail = text
          line(`${ellipsis} ${title}: ${text}`)
        },
        update(text) {
          detail = text
        },
        succeed: text => end(`${done} ${title}${since ? ` (${seconds()})` : ''}${text ? `: ${text}` : ''}`),
        skip: why => end(`${skipped} ${title}: ${why}`),
        fail: why => end(`${failed} ${title}: ${why}`),
      }
    },
    async close() {
      for (const timer of timers) clearInterval(timer)
    },
  }
}

function plainLive(line: (text: string) => void): LiveArea {
  return {set: () => undefined, line, close: () => undefined}
}
