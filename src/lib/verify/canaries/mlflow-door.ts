import {MlvError} from '../../errors.js'
import type {Bench, Canary} from '../canary.js'
import {basicAuth, probe} from './probe.js'

// Cheap, and behind the sign-in like everything but /health.
const DOOR = '/api/2.0/mlflow/experiments/search'
const SEARCH = '{"max_results": 1}'

/** Nobody gets in without the password, and the one who has it does. */
export const signIn: Canary = {
  id: 'sign-in',
  title: 'MLflow refuses a wrong password and none, and takes the right one',
  scope: 'core',
  deadlineSeconds: 30,
  async run(bench) {
    const {password, username} = await bench.connection.mlflow()
    // The default of MLflow's early versions, which attackers try first.
    const cases = [
      {who: 'no password', wanted: 401, headers: {}},
      {who: 'a wrong password', wanted: 401, headers: {authorization: basicAuth(username, bench.name)}},
      {who: 'the password of old defaults', wanted: 401, headers: {authorization: basicAuth('admin', 'password1234')}},
      {who: 'the right password', wanted: 200, headers: {authorization: basicAuth(username, password.reveal())}},
    ]
    const seen = await Promise.all(cases.map(one => expectStatus(bench, one)))
    return seen.join(', ')
  },
}

/** A web page that somebody has open cannot talk to MLflow through a name or a page of its own (DNS rebinding). */
export const foreignHost: Canary = {
  id: 'foreign-host',
  title: 'MLflow refuses a foreign host and a foreign page',
  scope: 'core',
  deadlineSeconds: 30,
  async run(bench) {
    const {password, username} = await bench.connection.mlflow()
    const authorization = basicAuth(username, password.reveal())
    const cases = [
      {who: 'a foreign Host', wanted: 403, headers: {authorization, host: 'attacker.example'}},
      {who: 'a foreign Origin', wanted: 403, headers: {authorization, origin: 'http://attacker.example'}},
    ]
    const seen = await Promise.all(cases.map(one => expectStatus(bench, one)))
    return seen.join(', ')
  },
}

async function expectStatus(
  bench: Bench,
  {headers, wanted, who}: {who: string; wanted: number; headers: Record<string, string>},
): Promise<string> {
  const {url} = await bench.connection.mlflow()
  const {status} = await probe(`${url}${DOOR}`, {
    method: 'POST',
    headers: {...headers, 'content-type': 'application/json'},
    body: SEARCH,
    signal: bench.signal,
  })
  if (status === wanted) return `${who}: ${status}`
  throw new MlvError('MLV_VERIFY_CANARY', `MLflow answers ${status} to ${who}; it must answer ${wanted}.`, {
    tryThis: [bench.context.command('setup --from 03'), bench.context.command('logs mlflow')],
  })
}
