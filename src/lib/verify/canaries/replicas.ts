import {MlvError} from '../../errors.js'
import type {Credential} from '../../types/target.js'
import type {Bench, Canary} from '../canary.js'
import {adminOf, temporaryUser} from './bench-experiment.js'
import {basicAuth, probe} from './probe.js'

const WHO = '/api/2.0/mlflow/users/current'

/** Behind one address several servers answer by turns: whoever gets in at one has to get in at the next. */
export const replicas: Canary = {
  id: 'replicas',
  title: 'All servers of MLflow take the same sign-in',
  scope: 'core',
  deadlineSeconds: 90,
  isWanted: ({mlflowServers}) => mlflowServers !== undefined,
  async run(bench) {
    const servers = (await bench.connection.mlflowServers?.()) ?? []
    if (servers.length < 2) return {skipped: `${servers.length === 1 ? 'one pod' : 'no pod'} of MLflow is ready`}
    const user = await temporaryUser(bench, `${bench.name}-everywhere`)
    await expectEverywhere(bench, servers, user, [200])
    await (await adminOf(bench)).users.delete(user.username)
    // A pod that remembers the password for its half minute finds no such user any more.
    await expectEverywhere(bench, servers, user, [401, 404])
    return `${servers.length} pods let a new user in, and none once it is deleted`
  },
}

async function expectEverywhere(
  bench: Bench,
  servers: readonly string[],
  {password, username}: Credential,
  wanted: readonly number[],
): Promise<void> {
  const headers = {authorization: basicAuth(username, password.reveal())}
  const found = await Promise.all(servers.map(url => probe(`${url}${WHO}`, {headers, signal: bench.signal})))
  const at = found.findIndex(({status}) => !wanted.includes(status))
  if (at === -1) return
  throw new MlvError(
    'MLV_VERIFY_CANARY',
    `Pod ${at + 1} of ${servers.length} of MLflow answers ${found[at]?.status} to a sign-in; it must answer ${wanted.join(' or ')}.`,
    {tryThis: [bench.context.command('logs mlflow'), bench.context.command('setup --from 03')]},
  )
}
