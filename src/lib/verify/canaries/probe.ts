import {send} from '../../tools/http.js'

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

/** One bare request; unlike `fetch` it lets a caller say which host it means, and that is what these probes are about. */
export async function probe(url: string, options: ProbeOptions): Promise<ProbeAnswer> {
  const answer = await send(url, {...options, agent: false})
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) if (text.length < BODY_LIMIT) text += chunk
  return {status: answer.statusCode ?? 0, body: text}
}

export function basicAuth(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
