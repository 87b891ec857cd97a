import {pad, textWidth, truncate} from './text-width.js'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May be cut to this many columns when the terminal is narrow; columns without it are shown whole. */
  readonly shrinkTo?: number
}

export interface TableOptions {
  /** By default what the result goes to has: a terminal its columns, a pipe as many as are needed. */
  readonly width?: number
  /** Styles a cell that is already padded, so that colour codes do not disturb the columns. */
  readonly style?: (text: string, row: number, column: number) => string
  readonly header?: (text: string) => string
  /** Stands for what is cut. */
  readonly ellipsis?: string
}

const GAP = '  '

/** Rows under their titles, each column as wide as it must be; ends without a line break. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  {
    ellipsis,
    header = text => text,
    style = text => text,
    width = process.stdout.columns || Number.POSITIVE_INFINITY,
  }: TableOptions = {},
): string {
  const widths = widthsFor(columns, rows, width)
  const line = (cells: readonly string[], styled: (text: string, column: number) => string) =>
    columns
      .map(({align}, index) => {
        const size = widths[index] ?? 0
        const text = truncate(cells[index] ?? '', size, ellipsis)
        const isLast = index === columns.length - 1 && align !== 'right'
        return styled(isLast ? text : pad(text, size, align === 'right' ? 'left' : 'right'), index)
      })
      .join(GAP)
      .trimEnd()
  return [
    line(
      columns.map(({title}) => title),
      text => header(text),
    ),
    ...rows.map((cells, row) => line(cells, (text, column) => style(text, row, column))),
  ].join('\n')
}

function widthsFor(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): number[] {
  const widths = columns.map(({title}, index) =>
    Math.max(textWidth(title), ...rows.map(cells => textWidth(cells[index] ?? ''))),
  )
  let over = widths.reduce((sum, size) => sum + size, 0) + GAP.length * (columns.length - 1) - width
  // The widest column that may shrink gives way first.
  const order = columns.map((_, index) => index).sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))
  for (const index of order) {
    const least = columns[index]?.shrinkTo
    if (least === undefined || over <= 0) continue
    const cut = Math.min(over, Math.max(0, (widths[index] ?? 0) - least))
    widths[index] = (widths[index] ?? 0) - cut
    over -= cut
  }
  return widths
}
