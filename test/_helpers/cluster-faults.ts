import {createSign} from 'node:crypto'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {z} from 'zod'

import {podSchema} from '../../src/lib/tools/kube-objects.js'
import type {Kube} from '../../src/lib/tools/kube-session.js'

const anything = z.looseObject({})
const podList = z.object({items: z.array(podSchema)})

/** The processes of kubectl that lead from this machine to Ray of one cluster. */
function tunnelsToRay(kubeconfig: string): number[] {
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
    } catch {
      return []
    }
  }
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      const argv = read(pid, 'cmdline')
      const isTunnel = argv.includes('port-forward') && argv.some(part => /^\d*:8265$/.test(part))
      return isTunnel && argv[0]?.endsWith('kubectl') && read(pid, 'environ').includes(`KUBECONFIG=${kubeconfig}`)
    })
    .map(Number)
}

/** Ends them every so often; `stop` says how many there were. */
export function cutTunnels(kubeconfig: string, everyMs: number): {stop(): number} {
  let cuts = 0
  const timer = setInterval(() => {
    for (const pid of tunnelsToRay(kubeconfig)) {
      process.kill(pid, 'SIGKILL')
      cuts++
    }
  }, everyMs)
  return {
    stop() {
      clearInterval(timer)
      return cuts
    },
  }
}

/** Signed by the cluster itself, for an hour that has passed. */
export function expiredToken(folder: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const issuer = 'https://kubernetes.default.svc'
  const claims = {
    iss: issuer,
    aud: [issuer],
    sub: 'system:serviceaccount:default:default',
    iat: now - 7200,
    nbf: now - 7200,
    exp: now - 3600,
    'kubernetes.io': {namespace: 'default', serviceaccount: {name: 'default', uid: '0'}},
  }
  const text = `${part({alg: 'RS256'})}.${part(claims)}`
  const signature = createSign('RSA-SHA256')
    .update(text)
    .sign(readFileSync(join(folder, 'sa.key')))
  return `${text}.${signature.toString('base64url')}`
}

/** Says for the pods that knock what a network would let them see, until `over`; on nodes that start nothing. */
export async function answerKnocks<T>(
  kube: Kube,
  over: Promise<T>,
  {inside, outside}: Record<'inside' | 'outside', number[]>,
): Promise<T> {
  let isOver = false
  void over.finally(() => {
    isOver = true
  })
  const answered = new Set<string>()
  const deadline = Date.now() + 60_000
  while (!isOver && Date.now() < deadline) {
    const {items} = await kube.call('GET', '/api/v1/pods', podList)
    for (const {metadata, status} of items) {
      const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`
      if (!metadata.name.startsWith('mlv-verify') || answered.has(path) || status?.phase !== 'Pending') continue
      answered.add(path)
      const message = JSON.stringify(metadata.namespace === kube.namespace ? inside : outside)
      const state = {terminated: {exitCode: 0, reason: 'Completed', message}}
      const container = {name: 'knock', ready: false, restartCount: 0, image: 'x', imageID: '', state}
      await kube.call('PATCH', path, anything, {
        body: {status: {phase: 'Succeeded', containerStatuses: [container]}},
      })
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  return over
}
