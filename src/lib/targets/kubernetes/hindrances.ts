import type {Context} from '../../context.js'
import {withoutStop} from '../../errors.js'
import {eventSchema, listOf} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {Hindrance} from '../../types/target.js'
import {corePath, JOB_LABEL, jobClusterName, PODS, RELEASES} from './names.js'
import {isReady, listPods, troubleOf} from './pods.js'

/** Events older than this tell of another day. */
const RECENT_MS = 15 * 60_000

/** What keeps workers from coming: pods that do not start, and pods that may not even be made. */
export async function clusterHindrances(context: Context, ownClusterOf?: string): Promise<Hindrance[]> {
  const kube = await context.kube()
  const pods = ownClusterOf === undefined ? PODS.workers : `${JOB_LABEL}=${jobClusterName(ownClusterOf)}`
  const waiting = (await listPods(kube, pods)).filter(pod => !isReady(pod))
  const [trouble, refused] = await Promise.all([
    troubleOf(kube, waiting),
    refusedPods(kube, ownClusterOf === undefined ? RELEASES.ray : jobClusterName(ownClusterOf)),
  ])
  const describe = `kubectl --context ${kube.context} -n ${kube.namespace} describe`
  const word = ownClusterOf === undefined ? 'worker' : 'pod'
  const start = waiting.length === 1 ? `A ${word} starts` : `${waiting.length} ${word}s start`
  return [
    ...(trouble
      ? [
          {
            what: `${word === 'pod' ? 'Pod' : 'Worker'} ${trouble.pod} does not start: ${withoutStop(trouble.why)}.`,
            help: `${describe} pod ${trouble.pod}`,
          },
        ]
      : []),
    ...(refused ? [{what: `The cluster refuses another ${word}: ${refused}`, help: `${describe} resourcequotas`}] : []),
    ...(!trouble && waiting.length > 0
      ? [{what: `${start}.`, help: `kubectl --context ${kube.context} -n ${kube.namespace} get pods -w`}]
      : []),
  ]
}

/** What the cluster said when KubeRay could not even make a pod; a job's own Ray cluster is called by the job and a few letters more. */
export async function refusedPods(kube: Kube, name: string): Promise<string | undefined> {
  const field = encodeURIComponent('type=Warning,involvedObject.kind=RayCluster')
  const events = await kube.get(`${corePath(kube.namespace, 'events')}?fieldSelector=${field}`, listOf(eventSchema))
  const recent = (events?.items ?? []).filter(
    ({eventTime, involvedObject, lastTimestamp, message, reason}) =>
      (involvedObject.name === name || involvedObject.name?.startsWith(`${name}-`)) &&
      /^FailedToCreate|^FailedCreate/.test(reason ?? '') &&
      /quota|forbidden/i.test(message ?? '') &&
      kube.now() - Date.parse(lastTimestamp ?? eventTime ?? '') < RECENT_MS,
  )
  const message = recent.at(-1)?.message
  return message && `${message.replace(/^.*?(exceeded quota)/, '$1').replace(/\.$/, '')}.`
}
