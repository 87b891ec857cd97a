import {Agent, type IncomingMessage, request} from 'node:http'
import {Agent as TlsAgent, request as tlsRequest} from 'node:https'

import type {ErrorCode} from '../error-codes.js'
import {MlvError, type MlvErrorOptions} from '../errors.js'
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

/**
 * Ray's dashboard over node:http. Not `fetch`: that sends `Sec-Fetch-Mode`, by which Ray takes the request for a
 * browser's and refuses every POST and PUT (405).
 */
export function createRayHttp(
  endpoint: RayEndpoint,
  {command = line => `mlv ${line}`, signal}: RayHttpOptions,
): RayHttp {
  const base = new URL(endpoint.url)
  const isTls = base.protocol === 'https:'
  const agent = isTls ? new TlsAgent({keepAlive: true}) : new Agent({keepAlive: true})
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

  function open(method: string, path: string, body: Uint8Array | undefined, json: boolean, timeoutMs: number) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const call = (isTls ? tlsRequest : request)(
        new URL(base.pathname.replace(/\/$/, '') + path, base),
        {
          method,
          agent,
          signal,
          timeout: timeoutMs,
          headers: {
            authorization: `Bearer ${endpoint.token.reveal()}`,
            'content-length': body?.byteLength ?? 0,
            ...(body && {'content-type': json ? 'application/json' : 'application/octet-stream'}),
          },
        },
        resolve,
      )
      call.on('timeout', () => call.destroy(lost('no answer in time')))
      call.on('error', reject)
      call.end(body)
    })
  }

  return {
    async send(method, path, body, timeoutMs = TIMEOUT_MS) {
      const isJson = body !== undefined && !(body instanceof Uint8Array)
      const bytes = isJson ? Buffer.from(JSON.stringify(body)) : (body as Uint8Array | undefined)
      const answer = await open(method, path, bytes, isJson, timeoutMs)
        .then(readAll)
        .catch((error: NodeJS.ErrnoException) => {
          signal?.throwIfAborted()
          throw error instanceof RayError ? error : lost(error.code ?? error.message, error)
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
    close: () => agent.destroy(),
  }
}

/** The sentence of a Python traceback, or of anything else, with a full stop. */
export function lastLine(text: string): string {
  const lines = text.split('\n').map(part => part.trim())
  const line = lines.findLast(part => /\w/.test(part)) ?? ''
  const sentence = line.replace(/^[\w.]*(Error|Exception): /, '').slice(0, 300) || 'no reason given'
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
}

async function readAll(response: IncomingMessage): Promise<RayAnswer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return {status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString()}
}
