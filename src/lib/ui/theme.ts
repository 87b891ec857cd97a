import {Chalk, chalkStderr} from 'chalk'

import type {Environment} from '../profile/env.js'

type Style = (text: string) => string

/** Colours and symbols: the only place that knows either. Colour only ever repeats what a word or symbol says. */
export interface Theme {
  readonly isAscii: boolean
  readonly good: Style
  readonly bad: Style
  readonly warn: Style
  readonly dim: Style
  readonly strong: Style
  readonly accent: Style
  readonly symbols: {
    readonly done: string
    readonly failed: string
    readonly warning: string
    readonly skipped: string
    readonly waiting: string
    readonly running: readonly string[]
    readonly ellipsis: string
  }
}

const unicode: Theme['symbols'] = {
  done: '✔',
  failed: '✖',
  warning: '⚠',
  skipped: '–',
  waiting: '◻',
  running: [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'],
  ellipsis: '…',
}

const ascii: Theme['symbols'] = {
  done: '+',
  failed: 'x',
  warning: '!',
  skipped: '-',
  waiting: '.',
  running: ['|', '/', '-', '\\'],
  ellipsis: '..',
}

/** Fits what is written to a stream of this kind. `MLV_ASCII=1` and `NO_COLOR=1` ask for less. */
export function createTheme(environment: Environment, {isTerminal}: {isTerminal: boolean}): Theme {
  const level = isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb' ? chalkStderr.level : 0
  const paint = new Chalk({level})
  const isAscii = !hasUnicode(environment)
  return {
    isAscii,
    good: paint.green,
    bad: paint.red,
    warn: paint.yellow,
    dim: paint.dim,
    strong: paint.bold,
    accent: paint.cyan,
    symbols: isAscii ? ascii : unicode,
  }
}

/** For a command's result, which goes to stdout: coloured only where that is a terminal. */
export function resultTheme(environment: Environment): Theme {
  return createTheme(environment, {isTerminal: process.stdout.isTTY === true})
}

/** Columns of the terminal that the result goes to; 100 in a pipe, where nothing wraps. */
export function resultColumns(): number {
  return process.stdout.columns || 100
}

function hasUnicode(environment: Environment): boolean {
  if (environment.MLV_ASCII) return false
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ''
  return !/^(C|POSIX)$/.test(locale) && environment.TERM !== 'linux' && environment.TERM !== 'dumb'
}
