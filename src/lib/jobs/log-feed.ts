import {setTimeout as sleep} from 'node:timers/promises'

import type {JobClient, RayJob} from './ray-client.js'
import {RayError} from './ray-http.js'
import {isEnded, stateOfRay} from './states.js'

export interface FeedOptions {
  readonly ray: JobClient
  readonly id: string
  readonly signal: AbortSignal
  /** Each piece of the log exactly once, in order. */
  onText(text: string): void
  /** Each answer of Ray about the job. */
  onJob?(job: RayJob): void
  /** The connection was lost, or is back. */
  onConnection?(isLost: boolean): void
}

const POLL_MS = 150
const LOST_POLL_MS = 1000
/** Below this size the whole log is asked for each time: Ray's own push comes one to two seconds late. */
const SMALL_LOG = 64 * 1024
const RECONNECT_MS = 1000

/**
 * Follows a job until Ray says that it ended; returns its last state, or undefined when Ray no longer knows it.
 *
 * Two sources tell the same text from its beginning: Ray's WebSocket, and the whole log on request. Each piece is
 * taken by its position, so whatever is cut, repeated or late, nothing is lost and nothing comes twice.
 */
export async function feedLog(options: FeedOptions): Promise<RayJob | undefined> {
  const {onConnection, signal} = options
  const cursor = createCursor(options.onText)
  const tail = createTail(options, cursor)
  let isLost = false
  const look = createLook(options, cursor)
  try {
    for (;;) {
      signal.throwIfAborted()
      const seen = await look().catch((error: unknown) => {
        signal.throwIfAborted()
        if (!(error instanceof RayError) || error.code === 'MLV_RAY_SIGN_IN') throw error
        return 'lost' as const
      })
      if ((seen === 'lost') !== isLost) onConnection?.(seen === 'lost')
      isLost = seen === 'lost'
      if (seen !== 'lost') {
        if (seen.hasEnded) return seen.job
        tail.keepOpen()
      }
      await sleep(isLost ? LOST_POLL_MS : POLL_MS, undefined, {signal}).catch(() => undefined)
    }
  } finally {
    tail.close()
  }
}

/** One look at the job: its state, and its whole log where that is small or the job has ended. */
function createLook({id, onJob, ray}: FeedOptions, cursor: Cursor) {
  let nextWhole = 0
  return async (): Promise<{job: RayJob | undefined; hasEnded: boolean}> => {
    const job = await ray.get(id)
    const hasEnded = job === undefined || isEnded(stateOfRay(job.status))
    if (job && (hasEnded || performance.now() >= nextWhole)) {
      cursor.whole(await ray.logs(id))
      nextWhole = performance.now() + POLL_MS * Math.max(1, cursor.position() / SMALL_LOG)
    }
    if (job) onJob?.(job)
    return {job, hasEnded}
  }
}

interface Cursor {
  /** The log as a whole. */
  whole(text: string): void
  /** A piece that begins at a position. */
  piece(text: string, start: number): void
  position(): number
}

export function createCursor(onText: (text: string) => void): Cursor {
  let position = 0
  const piece = (text: string, start: number) => {
    // A piece beyond what is known would leave a hole; the next whole log fills it.
    if (start > position || start + text.length <= position) return
    const fresh = text.slice(position - start)
    position += fresh.length
    onText(fresh)
  }
  return {piece, whole: text => piece(text, 0), position: () => position}
}

/** Ray's push. Never needed for the log to be complete: it only saves asking for a long log again and again. */
function createTail({id, ray, signal}: FeedOptions, cursor: Cursor) {
  let socket: WebSocket | undefined
  let retryAt = 0
  return {
    keepOpen() {
      const {endpoint} = ray
      if (!endpoint || socket !== undefined || performance.now() < retryAt || cursor.position() < SMALL_LOG) return
      const url = `${endpoint.url.replace(/^http/, 'ws')}/api/jobs/${encodeURIComponent(id)}/logs/tail`
      const headers = {authorization: `Bearer ${endpoint.token.reveal()}`}
      // Node's WebSocket takes headers; the type, which is the browser's, does not know.
      const opened = new WebSocket(url, {headers} as unknown as string[])
      let start = 0
      opened.onmessage = ({data}) => {
        if (signal.aborted || typeof data !== 'string') return
        cursor.piece(data, start)
        start += data.length
      }
      const gone = () => {
        if (socket === opened) socket = undefined
        retryAt = performance.now() + RECONNECT_MS
      }
      opened.onclose = gone
      opened.onerror = gone
      socket = opened
    },
    close() {
      const last = socket
      socket = undefined
      last?.close()
    },
  }
}
