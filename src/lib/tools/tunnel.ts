import {createServer} from 'node:net'
import {setTimeout as pause} from 'node:timers/promises'

import {MlvError} from '../errors.js'
import type {Environment} from '../profile/env.js'
import {type Background, startBackground} from './background.js'
import {type Asked, kubeErrorOf} from './kube-error.js'
import {type ClusterAccess, kubectl} from './kubectl.js'

export interface Tunnel {
  /** On 127.0.0.1; the same for as long as the tunnel is wanted, however often it drops. */
  readonly port: number
  close(): void
}

export interface TunnelOptions {
  readonly access: ClusterAccess
  readonly asked: Asked
  readonly environment: Environment
  /** `service/NAME` or `pod/NAME`. */
  readonly to: string
  readonly remotePort: number
  /** Taken where it is free, so that an address can be opened again. */
  readonly preferredPort: number
}

const FIRST_TRIES = 2
const LONGEST_PAUSE_MS = 2000

/** A port of this machine that leads to a service of the cluster, opened again whenever it drops. */
export async function openTunnel(options: TunnelOptions): Promise<Tunnel> {
  const wanted = (await isFree(options.preferredPort)) ? options.preferredPort : 0
  const start = (port: number) =>
    startBackground(
      kubectl(
        options.access,
        'port-forward',
        '--address=127.0.0.1',
        // Else it waits a minute for a pod that may never come.
        '--pod-running-timeout=1s',
        options.to,
        `${port || ''}:${options.remotePort}`,
      ),
      options.environment,
    )
  let current: Background | undefined
  let port: number | undefined
  let words = ''
  for (let attempt = 0; attempt < FIRST_TRIES && port === undefined; attempt++) {
    current = start(wanted)
    const match = await current.line(/^Forwarding from 127\.0\.0\.1:(\d+)/)
    if (match) port = Number(match[1])
    else words = (await current.ended).stderr
  }
  if (port === undefined || !current) throw tunnelError(options, words)
  const state = {isWanted: true, current}
  const local = port
  const watch = async () => {
    let wait = 50
    while (state.isWanted) {
      await state.current.ended
      if (!state.isWanted) return
      state.current = start(local)
      if (await state.current.line(/^Forwarding from/)) wait = 50
      else {
        await pause(wait, undefined, {ref: false})
        wait = Math.min(wait * 2, LONGEST_PAUSE_MS)
      }
    }
  }
  watch().catch(() => undefined)
  return {
    port: local,
    close() {
      state.isWanted = false
      state.current.stop()
    },
  }
}

function tunnelError({access, asked, to}: TunnelOptions, words: string): MlvError {
  return (
    kubeErrorOf(asked, words) ??
    new MlvError('MLV_TUNNEL', `No tunnel to ${to} in ${access.namespace} could be opened.`, {
      details: words.trim().split('\n').slice(-3).filter(Boolean),
      tryThis: [`kubectl --context ${access.context} -n ${access.namespace} get pods,services`],
    })
  )
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
