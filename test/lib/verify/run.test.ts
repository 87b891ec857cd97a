import {createServer, type RequestListener} from 'node:http'
import type {AddressInfo} from 'node:net'
import {afterEach, describe, expect, it} from 'vitest'

import {Secret} from '../../../src/lib/tools/secret.js'
import type {Connection} from '../../../src/lib/types/target.js'
import {proveProfile, verifyProfile} from '../../../src/lib/verify/run.js'
import {createTraces} from '../../../src/lib/verify/traces.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const open: {close(): unknown}[] = []

afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

/** A server of our own in the place of MLflow: the canaries have to tell a bad one from a good one. */
async function serve(answer: RequestListener): Promise<Connection> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  open.push(server)
  await new Promise(resolve => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    mlflow: async () => ({url, username: 'admin', password: new Secret('right')}),
    ray: async () => ({url, token: new Secret('right'), python: 'python3'}),
    rayClient: async () => ({address: '127.0.0.1:1', isTunnel: false}),
    jobs: async () => ({trackingUrl: url, username: 'mlv-jobs', credentialsFile: '/nowhere', storage: '/nowhere'}),
    jobsUser: async () => ({username: 'mlv-jobs', password: new Secret('right')}),
    close: async () => undefined,
  }
}

describe('the canaries', () => {
  it('fail on a server that lets everybody in, each with what it saw and what helps', async () => {
    const {context} = projectContext(await temporaryFolder())
    const connection = await serve((_, response) => response.end('{}'))
    const result = await verifyProfile({
      context,
      connection,
      scope: 'all',
      only: ['sign-in', 'foreign-host', 'ray-sign-in'],
    })
    expect(result.failed).toBe(3)
    expect(result.canaries.map(({detail}) => detail)).toEqual([
      expect.stringMatching(/answers 200 to .*password/),
      expect.stringMatching(/answers 200 to a foreign/),
      expect.stringMatching(/Ray answers 200 to (no|a wrong) token/),
    ])
    expect(result.canaries.every(({try_this}) => try_this.every(line => line.startsWith('npx mlv ')))).toBe(true)
  })

  it('pass on a server that refuses what it must', async () => {
    const {context} = projectContext(await temporaryFolder())
    const right = `Basic ${Buffer.from('admin:right').toString('base64')}`
    const connection = await serve(({headers}, response) => {
      const isForeign = headers.host?.includes('attacker') || headers.origin?.includes('attacker')
      response.statusCode = headers.authorization !== right ? 401 : isForeign ? 403 : 200
      response.end('{}')
    })
    const only = ['sign-in', 'foreign-host', 'disk'] as const
    const {canaries, failed} = await verifyProfile({context, connection, scope: 'core', only})
    expect(canaries.filter(({state}) => state === 'failed')).toEqual([])
    expect(failed).toBe(0)
    expect(canaries.every(({seconds}) => seconds >= 0)).toBe(true)
  })

  it('end a phase with exit code 11 when one of them fails', async () => {
    const {context} = projectContext(await temporaryFolder())
    const connection = await serve((_, response) => response.end('{}'))
    const proof = proveProfile({context, connection, scope: 'core', only: ['sign-in']})
    await expect(proof).rejects.toMatchObject({code: 'MLV_VERIFY_FAILED', exitCode: 11})
  })

  it('leave the Ray ones out where only MLflow is asked for', async () => {
    const {context} = projectContext(await temporaryFolder())
    const connection = await serve((_, response) => response.end('{}'))
    const {canaries} = await verifyProfile({context, connection, scope: 'core', only: ['disk', 'ray-sign-in']})
    expect(canaries.map(({id}) => id)).toEqual(['disk'])
  })
})

describe('traces', () => {
  it('are removed newest first, and one that cannot be removed is named without keeping the others', async () => {
    const traces = createTraces()
    const removed: string[] = []
    traces.add('first', async () => void removed.push('first'))
    traces.add('second', async () => {
      throw new Error('is held by somebody')
    })
    traces.add('third', async () => void removed.push('third'))
    expect(await traces.removeAll()).toEqual(['second (is held by somebody)'])
    expect(removed).toEqual(['third', 'first'])
  })
})
