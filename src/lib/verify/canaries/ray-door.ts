import {MlvError} from '../../errors.js'
import type {Bench, Canary} from '../canary.js'
import {probe} from './probe.js'

const JOBS = '/api/jobs/'

/** Nobody runs code here without the token: an open Ray is a shell for whoever reaches its port. */
export const raySignIn: Canary = {
  id: 'ray-sign-in',
  title: 'Ray refuses a job without its token',
  scope: 'all',
  deadlineSeconds: 30,
  async run(bench) {
    const {token} = await bench.connection.ray()
    const submit = {method: 'POST', body: JSON.stringify({entrypoint: 'true', submission_id: bench.name})} as const
    const cases = [
      {who: 'no token', wanted: [401], headers: {}, ...submit},
      {who: 'a wrong token', wanted: [401, 403], headers: {authorization: `Bearer ${'0'.repeat(64)}`}, ...submit},
      {who: 'the token', wanted: [200], headers: {authorization: `Bearer ${token.reveal()}`}, method: 'GET'} as const,
    ]
    const seen = await Promise.all(cases.map(one => expectStatus(bench, one)))
    return seen.join(', ')
  },
}

interface Case {
  readonly who: string
  readonly wanted: readonly number[]
  readonly headers: Readonly<Record<string, string>>
  readonly method: 'GET' | 'POST'
  readonly body?: string
}

async function expectStatus(bench: Bench, {headers, wanted, who, ...request}: Case): Promise<string> {
  const {url} = await bench.connection.ray()
  const {status} = await probe(`${url}${JOBS}`, {
    ...request,
    headers: {...headers, 'content-type': 'application/json'},
    signal: bench.signal,
  })
  if (wanted.includes(status)) return `${who}: ${status}`
  throw new MlvError('MLV_VERIFY_CANARY', `Ray answers ${status} to ${who}; it must answer ${wanted.join(' or ')}.`, {
    tryThis: [bench.context.command('setup --from 07'), bench.context.command('logs ray')],
  })
}
