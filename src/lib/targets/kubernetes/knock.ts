import {setTimeout as pause} from 'node:timers/promises'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError, withoutStop} from '../../errors.js'
import {KubeError} from '../../tools/kube-error.js'
import {anySchema, headPodSchema, listOf, podSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {Knock} from '../../types/target.js'
import type {Traces} from '../../types/traces.js'
import {corePath, groupPath, namespacePath, PODS, RAY_PORT} from './names.js'
import {troubleOf} from './pods.js'

const GCS_PORT = 6379
const POLL_MS = 300
const PATIENCE_MS = 120_000
/** Says which ports took a connection where Kubernetes shows it: no right to read logs is needed. */
const SCRIPT = `
import json, socket, sys
open_ports = []
for port in sys.argv[2:]:
    try:
        socket.create_connection((sys.argv[1], int(port)), 5).close()
        open_ports.append(int(port))
    except OSError:
        pass
open("/dev/termination-log", "w").write(json.dumps(open_ports))
`

interface Bench {
  readonly signal: AbortSignal
  readonly traces: Traces
}

/** A pod of this namespace and one of a namespace that exists for the time of it try the head's ports. */
export async function knockAtRay(context: Context, name: string, bench: Bench): Promise<Knock> {
  const kube = await context.kube()
  const path = `${corePath(kube.namespace, 'pods')}?labelSelector=${encodeURIComponent(PODS.head)}`
  const head = (await kube.call('GET', path, listOf(headPodSchema))).items.find(({status}) => status.podIP)
  if (!head) throw new MlvError('MLV_NOT_RUNNING', 'There is no pod of the Ray head.')
  const policy = await kube.get(groupPath('networking.k8s.io/v1', kube.namespace, 'networkpolicies', 'ray'), anySchema)
  if (!policy) return {cannot: 'Ray has no NetworkPolicy (networkPolicy.enabled in the values of charts/ray-cluster).'}
  const refusal = await makeNamespace(kube, name, bench)
  if (refusal) return {cannot: refusal}
  const knock = (namespace: string) => knockFrom(kube, namespace, jobObject(name, head), bench)
  const [inside, outside] = await Promise.all([knock(kube.namespace), knock(name)])
  if (typeof inside === 'string') return {cannot: inside}
  if (typeof outside === 'string') return {cannot: outside}
  return {inside, outside}
}

async function makeNamespace(kube: Kube, name: string, {traces}: Bench): Promise<string | undefined> {
  const labels = {'app.kubernetes.io/managed-by': 'mlv', 'pod-security.kubernetes.io/enforce': 'restricted'}
  traces.add(`namespace ${name}`, async () => void (await kube.remove(namespacePath(name))))
  const body = {apiVersion: 'v1', kind: 'Namespace', metadata: {name, labels}}
  return kube.call('POST', '/api/v1/namespaces', anySchema, {body}).then(
    () => undefined,
    error => {
      if (!(error instanceof KubeError && error.status === 403)) throw error
      return `The user of context ${kube.context} may not make a namespace to knock from.`
    },
  )
}

type Head = z.output<typeof headPodSchema>

/** With the image, the user and the node of the head, where the image lies already. */
function jobObject(name: string, {spec, status}: Head): object {
  const [container] = spec.containers
  const {imagePullSecrets, nodeName, securityContext, tolerations} = spec
  const amount = {cpu: '100m', memory: '128Mi'}
  const near = {matchExpressions: [{key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName]}]}
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {name, labels: {'app.kubernetes.io/managed-by': 'mlv'}},
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: PATIENCE_MS / 1000,
      ttlSecondsAfterFinished: 300,
      template: {
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          securityContext,
          imagePullSecrets,
          tolerations,
          ...(nodeName !== undefined && {
            affinity: {
              nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: near}]},
            },
          }),
          containers: [
            {
              name: 'knock',
              image: container?.image,
              imagePullPolicy: container?.imagePullPolicy,
              command: ['python', '-c', SCRIPT, status.podIP, String(RAY_PORT), String(GCS_PORT)],
              resources: {requests: amount, limits: amount},
              securityContext: container?.securityContext,
            },
          ],
        },
      },
    },
  }
}

/** The ports that were open, or a sentence why nobody could try. */
async function knockFrom(kube: Kube, namespace: string, job: object, bench: Bench): Promise<number[] | string> {
  const {name} = (job as {metadata: {name: string}}).metadata
  const path = groupPath('batch/v1', namespace, 'jobs')
  bench.traces.add(`Job ${name} in namespace ${namespace}`, async () => {
    await kube.remove(`${path}/${name}?propagationPolicy=Background`)
  })
  try {
    await kube.call('POST', path, anySchema, {body: job})
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 403)) throw error
    return `The user of context ${kube.context} may not run a Job in namespace ${namespace}.`
  }
  const selector = encodeURIComponent(`batch.kubernetes.io/job-name=${name}`)
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    const {items} = await kube.call(
      'GET',
      `${corePath(namespace, 'pods')}?labelSelector=${selector}`,
      listOf(podSchema),
    )
    const ended = items.flatMap(({status}) => status.containerStatuses ?? []).find(({state}) => state?.terminated)
    if (ended) return portsSchema.catch([]).parse(parsed(ended.state?.terminated?.message))
    if (performance.now() > until) {
      const why = (await troubleOf(kube, items))?.why ?? 'its pod did not start'
      return `Nobody could knock from namespace ${namespace}: ${withoutStop(why)}.`
    }
    await pause(POLL_MS, undefined, {signal: bench.signal})
  }
}

const portsSchema = z.array(z.int())

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
