import type {ErrorCode} from '../error-codes.js'
import {MlvError, type MlvErrorOptions} from '../errors.js'
import {agentFor, send, textOf} from '../tools/http.js'
import type {RayEndpoint} from '../types/target.js'

export interface RayAnswer {
  readonly status: number
  readonly text: string
}

/** A request that Ray refused or that did not reach it. */
export class RayError extends MlvError {
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number
  /** What Ray wrote, or the system's word for why there was no answer. */
  readonly answer: string

  constructor(code: ErrorCode, message: string, got: {status: number; answer: string}, options?: MlvErrorOptions) {
    super(code, message, options)
    this.name = 'RayError'
    this.status = got.status
    this.answer = got.answer
  }
}

export interface RayHttpOptions {
  readonly signal?: AbortSignal | undefined
  /** A command line of mlv as it can be pasted where the person is. */
  readonly command?: (line: string) => string
}

export interface RayHttp {
  /** Any answer below 500 comes back; 401 and 403, 5xx and silence are thrown. */
  send(method: string, path: string, body?: Uint8Array | object, timeoutMs?: number): Promise<RayAnswer>
  close(): void
}

const TIMEOUT_MS = 30_000

/** Ray's dashboard, signed in with the profile's token. */
export function createRayHttp(
  endpoint: RayEndpoint,
  {command = line => `mlv ${line}`, signal}: RayHttpOptions,
): RayHttp {
  const base = endpoint.url.replace(/\/$/, '')
  const agent = agentFor(endpoint.url)
  const lost = (why: string, cause?: unknown) =>
    new RayError(
      'MLV_RAY_UNREACHABLE',
      `Ray at ${endpoint.url} cannot be reached (${why}).`,
      {status: 0, answer: why},
      {
        cause,
        tryThis: ['status', 'setup', 'logs ray'].map(command),
      },
    )

  return {
    async send(method, path, body, timeoutMs = TIMEOUT_MS) {
      const isJson = body !== undefined && !(body instanceof Uint8Array)
      const bytes = isJson ? Buffer.from(JSON.stringify(body)) : (body as Uint8Array | undefined)
      const type = isJson ? 'application/json' : 'application/octet-stream'
      const answer = await send(base + path, {
        method,
        agent,
        body: bytes,
        headers: {authorization: `Bearer ${endpoint.token.reveal()}`, ...(bytes && {'content-type': type})},
        signal,
        timeoutMs,
      })
        .then(async got => ({status: got.statusCode ?? 0, text: await textOf(got)}))
        .catch((error: NodeJS.ErrnoException) => {
          signal?.throwIfAborted()
          const isLate = error.code === 'ABORT_ERR'
          throw lost(isLate ? 'no answer in time' : (error.code ?? error.message), error)
        })
      if (answer.status === 401 || answer.status === 403) {
        throw new RayError(
          'MLV_RAY_SIGN_IN',
          `Ray at ${endpoint.url} does not accept the token of this profile.`,
          {status: answer.status, answer: answer.text},
          {tryThis: [command('setup --from 07')]},
        )
      }
      if (answer.status >= 500) {
        throw new RayError(
          'MLV_RAY_REFUSED',
          `Ray answers ${answer.status}: ${lastLine(answer.text)}`,
          {status: answer.status, answer: answer.text},
          {tryThis: [command('logs ray')]},
        )
      }
      return answer
    },
    close: () => {
      if (agent) agent.destroy()
    },
  }
}

/** The sentence of a Python traceback, or of anything else, with a full stop. */
export function lastLine(text: string): string {
  const lines = text.split('\n').map(part => part.trim())
  const line = lines.findLast(part => /\w/.test(part)) ?? ''
  const sentence = line.replace(/^[\w.]*(Error|Exception): /, '').slice(0, 300) || 'no reason given'
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}
