const blocks = [...'▁▂▃▄▅▆▇█']
const ascii = [...'_.-=+*#@']

export interface SparklineOptions {
  /** At most so many columns; longer series are averaged into them. */
  readonly width?: number
  readonly ascii?: boolean
}

/** A series of numbers as a line of small bars, lowest to highest. Values that are not finite are left out. */
export function sparkline(
  values: readonly number[],
  {width = 40, ascii: useAscii = false}: SparklineOptions = {},
): string {
  const finite = average(values.filter(Number.isFinite), width)
  const low = Math.min(...finite)
  const range = Math.max(...finite) - low
  const levels = useAscii ? ascii : blocks
  // A flat line stands in the middle: neither good nor bad.
  return finite
    .map(value => levels[range === 0 ? levels.length >> 1 : Math.round(((value - low) / range) * (levels.length - 1))])
    .join('')
}

function average(values: readonly number[], width: number): readonly number[] {
  if (values.length <= width) return values
  return Array.from({length: width}, (_, column) => {
    const slice = values.slice(
      Math.floor((column * values.length) / width),
      Math.floor(((column + 1) * values.length) / width),
    )
    return slice.reduce((sum, value) => sum + value, 0) / slice.length
  })
}
