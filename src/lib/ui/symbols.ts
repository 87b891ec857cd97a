import type {Environment} from '../profile/env.js'

/** What stands before a line, and what is drawn with. A word beside it always says the same. */
export interface Symbols {
  /** Nothing but ASCII is to be drawn: also bars and curves. */
  readonly isAscii: boolean
  readonly done: string
  readonly failed: string
  readonly warning: string
  readonly skipped: string
  readonly waiting: string
  readonly running: readonly string[]
  readonly ellipsis: string
  readonly arrow: string
}

export const unicodeSymbols: Symbols = {
  isAscii: false,
  done: '✔',
  failed: '✖',
  warning: '⚠',
  skipped: '–',
  waiting: '◻',
  running: [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'],
  ellipsis: '…',
  arrow: '→',
}

const asciiSymbols: Symbols = {
  isAscii: true,
  done: '+',
  failed: 'x',
  warning: '!',
  skipped: '-',
  waiting: '.',
  running: ['|', '/', '-', '\\'],
  ellipsis: '..',
  arrow: '->',
}

/** What the locale can show; `MLV_ASCII=1` asks for less. */
export function symbolsFor(environment: Environment): Symbols {
  if (environment.MLV_ASCII) return asciiSymbols
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ''
  const isPlain = /^(C|POSIX)$/.test(locale) || environment.TERM === 'linux' || environment.TERM === 'dumb'
  return isPlain ? asciiSymbols : unicodeSymbols
}
