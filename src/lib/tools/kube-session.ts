import {mkdtemp, rm} from 'node:fs/promises'
import type {IncomingMessage} from 'node:http'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {z} from 'zod'

import {MlvError} from '../errors.js'
import type {Environment} from '../profile/env.js'
import {type Background, startBackground} from './background.js'
import {send, textOf} from './http.js'
import {KubeError, kubeError, kubeErrorOf, unreachable} from './kube-error.js'
import {type ClusterAccess, type ClusterAddress, kubectl} from './kubectl.js'
import {digestOf} from './packages.js'
import {openTunnel, type Tunnel} from './tunnel.js'

export interface KubeRequest {
  readonly body?: object | undefined
  readonly timeoutMs?: number
}

/** One cluster for the time of one command: requests to its API, and tunnels to its services. */
export interface Kube extends ClusterAccess, ClusterAddress {
  /** Undefined where there is no such object, nor any such kind. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined>
  /** Throws KubeError for every answer that is no success. */
  call<T>(method: string, path: string, schema: z.ZodType<T>, request?: KubeRequest): Promise<T>
  /** Asks for an object to go; false where it is not there. */
  remove(path: string): Promise<boolean>
  /** The body as it comes, for logs that are followed. */
  stream(path: string): Promise<IncomingMessage>
  /** The API server's clock, as of its last answer: that of a laptop may be wrong. */
  now(): number
  /** The port of this machine that leads to `service/NAME` or `pod/NAME`; one tunnel for all who ask. */
  tunnel(to: string, remotePort: number): Promise<number>
  close(): Promise<void>
}

const START_MS = 20_000
const REQUEST_MS = 30_000
const STREAM_MS = 24 * 3_600_000
const PORTS_FROM = 20_000
const PORTS = 10_000

export interface SessionOptions {
  readonly access: ClusterAccess
  readonly address: ClusterAddress
  readonly environment: Environment
  readonly signal: AbortSignal
}

/**
 * One `kubectl proxy` on a socket that only this user can open: kubectl knows every way to sign in, and a request
 * through it takes a millisecond where a kubectl of its own takes a hundred.
 */
export async function openKube(options: SessionOptions): Promise<Kube> {
  const {access, address, environment, signal} = options
  const asked = {context: access.context, server: address.server}
  const folder = await mkdtemp(join(tmpdir(), 'mlv-kube-'))
  const socketPath = join(folder, 'api.sock')
  const proxy = startBackground(kubectl(access, 'proxy', `--unix-socket=${socketPath}`), environment)
  const tunnels = new Map<string, Promise<Tunnel>>()
  let skewMs = 0
  const close = async () => {
    proxy.stop()
    for (const tunnel of tunnels.values()) await tunnel.then(({close}) => close()).catch(() => undefined)
    await Promise.all([proxy.ended, rm(folder, {force: true, recursive: true})])
  }
  await started(proxy, asked).catch(async error => {
    await close()
    throw error
  })

  /** An answer that is a success, its body unread. */
  const request = async (method: string, path: string, {body, timeoutMs}: KubeRequest = {}) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const answer = await send(`http://localhost${path}`, {
      method,
      agent: false,
      socketPath,
      signal,
      timeoutMs: timeoutMs ?? REQUEST_MS,
      ...(body && {body: JSON.stringify(body)}),
      headers: {accept: 'application/json', ...(body && {'content-type': type})},
    }).catch((error: NodeJS.ErrnoException) => {
      signal.throwIfAborted()
      const words = error.code === 'ABORT_ERR' ? 'No answer in time' : error.message
      throw new KubeError(unreachable(access.context, address.server, words), 0, '')
    })
    const {date} = answer.headers
    if (date) skewMs = Date.parse(date) - Date.now()
    const status = answer.statusCode ?? 0
    if (status >= 300) throw kubeError(asked, status, parsed(await textOf(answer)))
    return answer
  }
  const call: Kube['call'] = async (method, path, schema, asks) =>
    schema.parse(JSON.parse(await textOf(await request(method, path, asks))))
  return {
    ...access,
    ...address,
    call,
    close,
    now: () => Date.now() + skewMs,
    get: (path, schema) => call('GET', path, schema).catch(orUndefined),
    remove: async path => (await request('DELETE', path).then(textOf).catch(orUndefined)) !== undefined,
    stream: path => request('GET', path, {timeoutMs: STREAM_MS}),
    async tunnel(to, remotePort) {
      const key = `${to}:${remotePort}`
      const opened =
        tunnels.get(key) ??
        openTunnel({
          access,
          asked,
          environment,
          to,
          remotePort,
          preferredPort: PORTS_FROM + (numberOf([address.server, access.namespace, key]) % PORTS),
        })
      tunnels.set(key, opened)
      opened.catch(() => tunnels.delete(key))
      return (await opened).port
    },
  }
}

async function started(proxy: Background, asked: {context: string; server: string}): Promise<void> {
  const late = AbortSignal.timeout(START_MS)
  const isUp = await Promise.race([
    proxy.line(/^Starting to serve/),
    new Promise<undefined>(resolve => late.addEventListener('abort', () => resolve(undefined))),
  ])
  if (isUp) return
  if (late.aborted) throw new MlvError('MLV_TOOL_TIMEOUT', 'kubectl proxy did not start in time.')
  const {exitCode, stderr} = await proxy.ended
  if (exitCode === 127)
    throw new MlvError('MLV_TOOL_MISSING', 'kubectl is not on PATH.', {
      tryThis: ['Install kubectl, then run the command again.'],
    })
  throw (
    kubeErrorOf(asked, stderr) ??
    new MlvError('MLV_TOOL_FAILED', `kubectl proxy ended with exit code ${exitCode}.`, {
      details: stderr.trim().split('\n').slice(-5),
    })
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {message: text.slice(0, 300)}
  }
}

/** What is not there is no error for whoever looks for it. */
function orUndefined(error: unknown): undefined {
  if (error instanceof KubeError && error.status === 404) return undefined
  throw error
}

/** The same port for the same service on every day. */
const numberOf = (parts: readonly string[]): number => Number.parseInt(digestOf(parts).slice(0, 8), 16)
