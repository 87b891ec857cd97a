import type {Context} from '../../context.js'
import {eventSchema, listOf} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {Hindrance} from '../../types/target.js'
import {corePath, RELEASES} from './names.js'
import {isReady, listPods, troubleOf} from './pods.js'

const WORKERS = `ray.io/cluster=${RELEASES.ray},ray.io/node-type=worker`
/** Events older than this tell of another day. */
const RECENT_MS = 15 * 60_000

/** What keeps workers from coming: pods that do not start, and pods that may not even be made. */
export async function clusterHindrances(context: Context): Promise<Hindrance[]> {
  const kube = await context.kube()
  const waiting = (await listPods(kube, WORKERS)).filter(pod => !isReady(pod))
  const [trouble, refused] = await Promise.all([troubleOf(kube, waiting), refusedPods(kube)])
  const describe = `kubectl --context ${kube.context} -n ${kube.namespace} describe`
  const start = waiting.length === 1 ? 'A worker starts' : `${waiting.length} workers start`
  return [
    ...(trouble
      ? [
          {
            what: `Worker ${trouble.pod} does not start: ${trouble.why.replace(/\.$/, '')}.`,
            help: `${describe} pod ${trouble.pod}`,
          },
        ]
      : []),
    ...(refused ? [{what: `The cluster refuses another worker: ${refused}`, help: `${describe} resourcequotas`}] : []),
    ...(!trouble && waiting.length > 0
      ? [{what: `${start}.`, help: `kubectl --context ${kube.context} -n ${kube.namespace} get pods -w`}]
      : []),
  ]
}

async function refusedPods(kube: Kube): Promise<string | undefined> {
  const field = encodeURIComponent('type=Warning,involvedObject.kind=RayCluster')
  const events = await kube.get(`${corePath(kube.namespace, 'events')}?fieldSelector=${field}`, listOf(eventSchema))
  const recent = (events?.items ?? []).filter(
    ({eventTime, lastTimestamp, message, reason}) =>
      /^FailedToCreate|^FailedCreate/.test(reason ?? '') &&
      /quota|forbidden/i.test(message ?? '') &&
      kube.now() - Date.parse(lastTimestamp ?? eventTime ?? '') < RECENT_MS,
  )
  const message = recent.at(-1)?.message
  return message && `${message.replace(/^.*?(exceeded quota)/, '$1').replace(/\.$/, '')}.`
}
