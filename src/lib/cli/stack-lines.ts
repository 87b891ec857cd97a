import {existsSync, readFileSync} from 'node:fs'
import {SourceMap} from 'node:module'
import {fileURLToPath} from 'node:url'

const PLACE = /\(?(file:\/\/[^\s)]+):(\d+):(\d+)\)?$/
const MOST_LINES = 11

/**
 * The places of a stack in the words of src/, from the maps beside the bundle. Node could do it by itself, but would
 * then read every map at every start.
 */
export function stackLines(error: {readonly stack?: string | undefined} | undefined): string[] {
  const lines = error?.stack?.split('\n').slice(1, MOST_LINES + 1) ?? []
  return lines.map(line => {
    const [place, url = '', row, column] = PLACE.exec(line.trimEnd()) ?? []
    const origin = place === undefined ? undefined : originOf(url, Number(row), Number(column))
    return place === undefined || origin === undefined ? line : line.trimEnd().replace(place, `(${origin})`)
  })
}

function originOf(url: string, row: number, column: number): string | undefined {
  try {
    const file = `${fileURLToPath(url)}.map`
    if (!existsSync(file)) return undefined
    const entry = new SourceMap(JSON.parse(readFileSync(file, 'utf8'))).findEntry(row - 1, column - 1)
    if (!('originalSource' in entry)) return undefined
    return `${entry.originalSource.replace(/^(\.\.\/)+/, '')}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  } catch {
    // A stack that cannot be translated is better than none.
    return undefined
  }
}
