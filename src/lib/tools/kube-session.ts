import {mkdtemp, rm} from 'node:fs/promises'
import type {IncomingMessage} from 'node:http'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {z} from 'zod'

import {MlvError} from '../errors.js'
import type {Environment} from '../profile/env.js'
import {type Background, startBackground} from './background.js'
import {bodyOf, send} from './http.js'
import {KubeError, kubeError, kubeErrorOf, unreachable} from './kube-error.js'
import {type ClusterAccess, type ClusterAddress, kubectl} from './kubectl.js'
import {openTunnel, type Tunnel} from './tunnel.js'

export interface KubeRequest {
  readonly body?: object | undefined
  /** Of a PATCH; a merge patch by default. */
  readonly contentType?: string
  readonly timeoutMs?: number
}

/** One cluster for the time of one command: requests to its API, and tunnels to its services. */
export interface Kube extends ClusterAccess, ClusterAddress {
  /** Undefined where there is no such object, nor any such kind. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined>
  /** Throws KubeError for every answer that is no success. */
  call<T>(method: string, path: string, schema: z.ZodType<T>, request?: KubeRequest): Promise<T>
  /** Asks for an object to go; false where it is not there. */
  remove(path: string, options?: object): Promise<boolean>
  /** The body as it comes, for logs. */
  stream(path: string): Promise<IncomingMessage>
  /** The API server's clock, as of its last answer: that of a laptop may be wrong. */
  now(): number
  /** The port of this machine that leads to a service; one tunnel for all who ask. */
  tunnel(service: string, servicePort: number): Promise<number>
  close(): Promise<void>
}

const START_MS = 20_000
const REQUEST_MS = 30_000
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

  const request = async (method: string, path: string, {body, contentType, timeoutMs}: KubeRequest = {}) => {
    const type = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json')
    try {
      const answer = await send(`http://localhost${path}`, {
        method,
        agent: false,
        socketPath,
        signal,
        timeoutMs: timeoutMs ?? REQUEST_MS,
        ...(body && {body: JSON.stringify(body)}),
        headers: {accept: 'application/json', ...(body && {'content-type': type})},
      })
      const {date} = answer.headers
      if (date) skewMs = Date.parse(date) - Date.now()
      return answer
    } catch (error) {
      signal.throwIfAborted()
      const {code, message} = error as NodeJS.ErrnoException
      throw new KubeError(
        unreachable(access.context, address.server, code === 'ABORT_ERR' ? 'No answer in time' : message),
        0,
        '',
      )
    }
  }
  const call: Kube['call'] = async (method, path, schema, asks) => {
    const answer = await request(method, path, asks)
    const text = Buffer.from(await bodyOf(answer)).toString('utf8')
    const status = answer.statusCode ?? 0
    if (status >= 300) throw kubeError(asked, status, parsed(text))
    return schema.parse(JSON.parse(text))
  }
  return {
    ...access,
    ...address,
    call,
    close,
    now: () => Date.now() + skewMs,
    async get(path, schema) {
      return call('GET', path, schema).catch(error => {
        if (error instanceof KubeError && error.status === 404) return undefined
        throw error
      })
    },
    async remove(path, asks) {
      const answer = await request('DELETE', path, {body: asks})
      const text = Buffer.from(await bodyOf(answer)).toString('utf8')
      const status = answer.statusCode ?? 0
      if (status === 404) return false
      if (status >= 300) throw kubeError(asked, status, parsed(text))
      return true
    },
    async stream(path) {
      const answer = await request('GET', path, {timeoutMs: 24 * 3_600_000})
      const status = answer.statusCode ?? 0
      if (status >= 300) throw kubeError(asked, status, parsed(Buffer.from(await bodyOf(answer)).toString('utf8')))
      return answer
    },
    async tunnel(service, servicePort) {
      const key = `${service}:${servicePort}`
      const opened =
        tunnels.get(key) ??
        openTunnel({
          access,
          asked,
          environment,
          service,
          servicePort,
          preferredPort: PORTS_FROM + (hash(`${address.server} ${access.namespace} ${key}`) % PORTS),
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

/** FNV-1a: the same port for the same service on every day. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0
  return value
}
