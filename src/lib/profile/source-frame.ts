/** Where something stands in a text file; both count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface FrameOptions extends Position {
  /** How many characters the carets underline; they never go past the line's end. */
  readonly length: number
}

const TAB = '  '

/** The line of a text with carets under what is meant, as `6 |   pyton: …` and `|   ^^^^^`. */
export function sourceFrame(text: string, {line, column, length}: FrameOptions): string[] {
  const source = text.split(/\r?\n/)[line - 1] ?? ''
  const [before, meant] = [source.slice(0, column - 1), source.slice(column - 1, column - 1 + length).trimEnd()]
  const number = String(line)
  const shown = hidePasswords(source).replaceAll('\t', TAB)
  const indent = ' '.repeat(displayWidth(hidePasswords(before)))
  return [
    `${number} | ${shown}`,
    `${' '.repeat(number.length)} | ${indent}${'^'.repeat(Math.max(1, displayWidth(hidePasswords(meant))))}`,
  ]
}

/** Columns that a text takes in a terminal. */
export function displayWidth(text: string): number {
  let width = 0
  for (const {segment} of new Intl.Segmenter(undefined, {granularity: 'grapheme'}).segment(
    text.replaceAll('\t', TAB),
  )) {
    width += isWide(segment) ? 2 : 1
  }
  return width
}

/** Takes the password out of every address in a text. */
export function hidePasswords(text: string): string {
  return text.replaceAll(/(:\/\/[^\s:/@]*:)\S*(?=@)/g, '$1***').replaceAll(/([?&]\w*password=)[^\s&]+/gi, '$1***')
}

// East Asian letters and pictures take two columns.
function isWide(segment: string): boolean {
  return /\p{Extended_Pictographic}|\p{RI}|[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]/u.test(
    segment,
  )
}

/** A command line that opens a file where something has to be changed; vi, nano, emacs and micro know `+LINE`. */
export function openAt(path: string, line = 1): string {
  return `\${EDITOR:-vi} +${line} ${/^[\w@%+=:,./-]+$/.test(path) ? path : JSON.stringify(path)}`
}
