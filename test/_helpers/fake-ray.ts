import {createServer, type IncomingMessage, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'

import {Secret} from '../../src/lib/tools/secret.js'
import type {RayEndpoint} from '../../src/lib/types/target.js'

export interface FakeRay {
  readonly endpoint: RayEndpoint
  /** What the log holds now. */
  log: string
  status: 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'STOPPED'
  /** Answers instead of the usual ones, one a request, until they are used up. */
  readonly failures: ('cut' | {status: number; text: string})[]
  readonly requests: string[]
  close(): Promise<void>
}

/** A real HTTP server that breaks where it is told to: what a real Ray cannot be made to do on demand. */
export async function startFakeRay(): Promise<FakeRay> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const fake: FakeRay = {
    endpoint: {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      token: new Secret('token'),
      python: 'python',
    },
    log: '',
    status: 'RUNNING',
    failures: [],
    requests: [],
    close: () => closed(server),
  }
  server.on('request', (request, response) => {
    fake.requests.push(`${request.method} ${request.url}`)
    const failure = fake.failures.shift()
    if (failure === 'cut') {
      request.socket.destroy()
      return
    }
    const {status, text} = failure ?? answer(fake, request)
    request.resume().on('end', () => response.writeHead(status).end(text))
  })
  return fake
}

function answer(fake: FakeRay, request: IncomingMessage): {status: number; text: string} {
  if (request.headers.authorization !== 'Bearer token') return {status: 401, text: 'Unauthorized'}
  if (request.method === 'POST') return {status: 200, text: '{"job_id": "j", "submission_id": "j"}'}
  if (request.url?.endsWith('/logs')) return {status: 200, text: JSON.stringify({logs: fake.log})}
  return {status: 200, text: JSON.stringify({type: 'SUBMISSION', submission_id: 'j', status: fake.status})}
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}
