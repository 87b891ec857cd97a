import {type IncomingMessage, request as plain} from 'node:http'
import {request as encrypted} from 'node:https'

export interface ProbeOptions {
  readonly signal: AbortSignal
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface ProbeAnswer {
  readonly status: number
  readonly body: string
}

const BODY_LIMIT = 100_000

/** One bare request. Not `fetch`, which does not let a caller say which host it means: what these probes are about. */
export async function probe(url: string, options: ProbeOptions): Promise<ProbeAnswer> {
  const {method = 'GET', headers = {}, body, signal} = options
  const request = url.startsWith('https:') ? encrypted : plain
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, {method, headers, signal, agent: false}, resolve).on('error', reject).end(body)
  })
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) if (text.length < BODY_LIMIT) text += chunk
  return {status: answer.statusCode ?? 0, body: text}
}

export function basicAuth(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
