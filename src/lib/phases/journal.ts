import {randomUUID} from 'node:crypto'
import {closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync} from 'node:fs'
import {readFile, rename} from 'node:fs/promises'
import {join} from 'node:path'
import {crc32} from 'node:zlib'

import {describeFileError} from '../errors.js'
import {writeFileAtomic} from '../tools/atomic-file.js'
import {compact, type JournalEvent, journalEventSchema, type NewEvent} from './journal-events.js'

/** Above this the journal is written anew with only what later runs use. */
const COMPACT_ABOVE_BYTES = 128 * 1024

export interface JournalContent {
  readonly events: readonly JournalEvent[]
  readonly bytes: number
  /** Lines in its middle are damaged: not by a crash of ours, which can only cut off the end. */
  readonly isCorrupt: boolean
  /** Its end was cut off while it was written. */
  readonly isTorn: boolean
}

export interface Journal {
  readonly run: string
  /** What was there before this run. */
  readonly earlier: readonly JournalEvent[]
  /** Where a corrupt file was put aside. */
  readonly keptAside?: string
  /** Returns when the line is on the disk. */
  append(event: NewEvent): void
  close(): void
}

export function journalPath(stateDir: string): string {
  return join(stateDir, 'journal.jsonl')
}

/** Reads what is there without changing it; a file that is missing is an empty journal. */
export async function readJournal(stateDir: string): Promise<JournalContent> {
  const path = journalPath(stateDir)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    if (error.code === 'EISDIR') return '\n'
    throw describeFileError(error, path)
  })
  const lines = text.split('\n')
  // After the last line break comes nothing, unless a line was cut off.
  const tail = lines.pop() ?? ''
  const parsed = lines.map(decodeLine)
  return {
    events: parsed.filter(event => event !== undefined),
    bytes: Buffer.byteLength(text),
    isCorrupt: parsed.includes(undefined),
    isTorn: tail !== '',
  }
}

/** Opens the journal for a run. The caller holds the lock. Repairs first what a crash or somebody else did to it. */
export async function openJournal(stateDir: string): Promise<Journal> {
  const path = journalPath(stateDir)
  const content = await readJournal(stateDir)
  const keptAside = content.isCorrupt ? await putAside(path) : undefined
  if (content.isCorrupt || content.isTorn || content.bytes > COMPACT_ABOVE_BYTES) {
    const events = content.bytes > COMPACT_ABOVE_BYTES ? compact(content.events) : content.events
    await writeFileAtomic(path, events.map(encodeLine).join(''))
  }
  const run = randomUUID()
  const file = openForAppending(path)
  return {
    run,
    earlier: content.events,
    ...(keptAside === undefined ? {} : {keptAside}),
    append: event => appendLine(file, path, encodeLine({at: new Date().toISOString(), run, ...event} as JournalEvent)),
    close: () => closeSync(file),
  }
}

/** `{…, "sum": "1a2b3c4d"}`: the sum covers the line as it would read without it. */
export function encodeLine(event: JournalEvent): string {
  const text = JSON.stringify(event)
  return `${JSON.stringify({...event, sum: checksum(text)})}\n`
}

/** The event of a line; undefined when the line is not exactly what was written. */
export function decodeLine(line: string): JournalEvent | undefined {
  try {
    const {sum, ...event} = JSON.parse(line) as Record<string, unknown>
    if (sum !== checksum(JSON.stringify(event))) return undefined
    return journalEventSchema.parse(event)
  } catch {
    return undefined
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

async function putAside(path: string): Promise<string> {
  const aside = `${path}.corrupt-${new Date().toISOString().replaceAll(':', '-')}`
  await rename(path, aside).catch(error => {
    throw describeFileError(error, path)
  })
  return aside
}

function openForAppending(path: string): number {
  try {
    return openSync(path, 'a', 0o600)
  } catch (error) {
    throw describeFileError(error, path)
  }
}

// Synchronous on purpose: phases run at the same time, and a line must be on the disk before its step begins.
function appendLine(file: number, path: string, line: string): void {
  const {size} = fstatSync(file)
  try {
    writeSync(file, line)
    fdatasyncSync(file)
  } catch (error) {
    // A full disk may have taken half of the line; the next one must not grow onto it.
    ftruncateSync(file, size)
    throw describeFileError(error, path)
  }
}
