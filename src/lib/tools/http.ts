import type {Agent, IncomingMessage} from 'node:http'

export interface HttpCall {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string | undefined
  readonly signal?: AbortSignal | undefined
  /** How long the whole of it may take, the body too. */
  readonly timeoutMs?: number
  readonly agent?: Agent | false | undefined
  /** A Unix socket to go through; the address then only names the host and the path. */
  readonly socketPath?: string
}

/**
 * One request; the answer comes back whatever its status, its body unread. Not `fetch`: loading that takes longer than
 * a request to this machine, and Ray takes what it sends for a browser's. For the same reason node:http is not
 * imported: a module that names it has each of its exports looked at, `fetch`'s WebSocket among them.
 */
export function send(url: URL | string, call: HttpCall = {}): Promise<IncomingMessage> {
  const {body, headers, signal, timeoutMs, ...rest} = call
  const {protocol} = new URL(url)
  const {request} = process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http')
  const timeout = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]
  const signals = [...timeout, ...(signal ? [signal] : [])]
  const length = typeof body === 'string' ? Buffer.byteLength(body) : (body?.byteLength ?? 0)
  return new Promise((resolve, reject) => {
    const options = {
      ...rest,
      headers: {...headers, 'content-length': length},
      ...(signals.length > 0 && {signal: AbortSignal.any(signals)}),
    }
    request(url, options, resolve).on('error', reject).end(body)
  })
}

/**
 * Connections that are kept between requests, and closed before a server does it, which would lose a request. None to
 * this machine, where a new one is nothing: uvicorn sends the head and the body of an answer apart, and on a connection
 * that is not new each of them would wait 40 ms for the other side's acknowledgement.
 */
export function agentFor(url: string, idleMs = 4000): Agent | false {
  const {hostname, protocol} = new URL(url)
  if (/^(127\..+|localhost|\[::1\])$/.test(hostname)) return false
  const {Agent} = process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http')
  return new Agent({keepAlive: true, timeout: idleMs})
}

export async function bodyOf(answer: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Uint8Array.from(Buffer.concat(chunks))
}

export async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  return text
}

/** The status of an answer whose body nobody wants; undefined where there is none. */
export async function statusOf(url: string, call: HttpCall): Promise<number | undefined> {
  try {
    const answer = await send(url, {agent: false, ...call})
    answer.resume()
    return answer.statusCode
  } catch {
    return undefined
  }
}
