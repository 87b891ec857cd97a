import {stripVTControlCharacters} from 'node:util'

// East Asian wide and full-width blocks, and pictures: two columns each.
const wide =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|^\p{Emoji_Presentation}/u

/** How many columns of a terminal a text takes; colour codes take none. */
export function textWidth(text: string): number {
  const plain = stripVTControlCharacters(text)
  // Most texts are ASCII, and the segmenter is slow.
  if (/^[\x20-\x7E]*$/.test(plain)) return plain.length
  let width = 0
  for (const {segment} of new Intl.Segmenter().segment(plain)) width += wide.test(segment) ? 2 : 1
  return width
}

/** Cuts a plain text to a number of columns, with an ellipsis in place of what is cut. */
export function truncate(text: string, columns: number, ellipsis = '…'): string {
  if (textWidth(text) <= columns) return text
  const room = columns - textWidth(ellipsis)
  let kept = ''
  let width = 0
  for (const {segment} of new Intl.Segmenter().segment(text)) {
    width += wide.test(segment) ? 2 : 1
    if (width > room) break
    kept += segment
  }
  return columns <= 0 ? '' : kept.trimEnd() + ellipsis
}

/** Pads with spaces on the right, or on the left, to a number of columns. */
export function pad(text: string, columns: number, side: 'left' | 'right' = 'right'): string {
  const spaces = ' '.repeat(Math.max(0, columns - textWidth(text)))
  return side === 'right' ? text + spaces : spaces + text
}
