import type {IncomingMessage} from 'node:http'

import {agentFor, send, textOf} from '../tools/http.js'
import type {MlflowEndpoint} from '../types/target.js'
import {type Failure, failureOf, unreachable} from './mlflow-error.js'

export type Method = 'DELETE' | 'GET' | 'PATCH' | 'POST' | 'PUT'

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is. */
  readonly bytes?: Uint8Array | string
  /**
   * Whether sending it twice is the same as sending it once. GET, PUT and DELETE are; a POST only where it searches
   * or sets. What may not be repeated is sent again only when it cannot have reached the server.
   */
  readonly repeatable?: boolean
  /** The grant that it takes, for the sentence when the server says 403: "EDIT on experiment digits". */
  readonly needs?: string
  readonly timeoutMs?: number
}

/** One signed-in way to an MLflow server. Connections to another machine are kept between requests. */
export interface MlflowHttp {
  readonly endpoint: MlflowEndpoint
  /** Returns the parsed JSON; throws an MlflowError for every other end. */
  json(method: Method, path: string, options?: RequestOptions): Promise<unknown>
  /** Returns the response itself, its body unread. */
  response(method: Method, path: string, options?: RequestOptions): Promise<IncomingMessage>
}

/** A `Context` will do. */
export interface HttpOptions {
  readonly signal?: AbortSignal | undefined
  /** A command line of mlv as it can be pasted where the person is. */
  readonly command?: (line: string) => string
  /** How long one request may take. */
  readonly timeoutMs?: number
  /** Pauses before each repeated attempt; their number is the number of repeats. */
  readonly pausesMs?: readonly number[]
}

const TIMEOUT_MS = 30_000
const PAUSES_MS = [100, 400, 1500]
const BUSY = new Set([429, 502, 503, 504])

export function createMlflowHttp(endpoint: MlflowEndpoint, options: HttpOptions = {}): MlflowHttp {
  const authorization = `Basic ${Buffer.from(`${endpoint.username}:${endpoint.password.reveal()}`).toString('base64')}`
  const command = options.command ?? (line => `mlv ${line}`)
  const agent = agentFor(endpoint.url)
  const pauses = options.pausesMs ?? PAUSES_MS

  async function attempt(method: Method, url: URL, request: RequestOptions): Promise<IncomingMessage | Failure> {
    const body = request.json === undefined ? request.bytes : JSON.stringify(request.json)
    try {
      const answer = await send(url, {
        method,
        agent,
        body,
        headers: {
          authorization,
          ...(request.json === undefined ? {} : {'content-type': 'application/json'}),
          ...(request.bytes === undefined ? {} : {'content-type': 'application/octet-stream'}),
        },
        signal: options.signal,
        timeoutMs: request.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS,
      })
      const status = answer.statusCode ?? 0
      if (status >= 200 && status < 300) return answer
      const text = await textOf(answer).catch(() => '')
      return failureOf({status, text}, {endpoint, command, needs: request.needs})
    } catch (error) {
      options.signal?.throwIfAborted()
      return unreachable(error, {endpoint, command})
    }
  }

  async function response(method: Method, path: string, request: RequestOptions = {}): Promise<IncomingMessage> {
    const url = address(endpoint.url, path, request.query)
    const repeatable = request.repeatable ?? (method !== 'POST' && method !== 'PATCH')
    for (let round = 0; ; round += 1) {
      const answer = await attempt(method, url, request)
      if (!('error' in answer)) return answer
      const pause = pauses[round]
      const again = answer.neverSent || (repeatable && (answer.lost || BUSY.has(answer.error.status)))
      if (pause === undefined || !again) throw answer.error
      await rest(pause, options.signal)
    }
  }

  return {
    endpoint,
    response,
    async json(method, path, request) {
      const answer = await response(method, path, request)
      const text = await textOf(answer)
      return text === '' ? {} : JSON.parse(text)
    },
  }
}

function address(base: string, path: string, query: RequestOptions['query'] = {}): URL {
  const url = new URL(base + path)
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url
}

function rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, {once: true})
  })
}
