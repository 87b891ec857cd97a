import {createInterface} from 'node:readline'
import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import type {Pod} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {ServiceName} from '../../types/target.js'
import {corePath, PODS} from './names.js'
import {isReady, listPods} from './pods.js'

const SELECTORS = {mlflow: PODS.servers, ray: PODS.head} as const
const PAUSE_MS = 500

/** The log of a service's pod; with `follow` over its end to the pod that takes its place. */
export async function* readPodLog(
  context: Context,
  service: ServiceName,
  {follow, tail}: {follow: boolean; tail: number},
): AsyncGenerator<string> {
  const kube = await context.kube()
  const last = {time: ''}
  for (;;) {
    const [pod] = (await listPods(kube, SELECTORS[service])).sort((a, b) => Number(isReady(b)) - Number(isReady(a)))
    if (!pod && !follow)
      throw new MlvError('MLV_NOT_RUNNING', `There is no pod of ${service}.`, {tryThis: [context.command('setup')]})
    const begin = last.time === '' ? `tailLines=${tail}` : `sinceTime=${encodeURIComponent(last.time)}`
    try {
      if (pod) yield* linesOf(kube, pod, `${begin}${follow ? '&follow=true' : ''}`, last)
    } catch (error) {
      context.signal.throwIfAborted()
      if (!follow) throw error
    }
    if (!follow) return
    context.signal.throwIfAborted()
    await pause(PAUSE_MS)
  }
}

/** A stream that was cut is asked for again from its last second on: what was shown is not shown twice. */
async function* linesOf(kube: Kube, pod: Pod, query: string, last: {time: string}): AsyncGenerator<string> {
  const container = pod.spec.containers[0]?.name ?? ''
  const path = `${corePath(kube.namespace, 'pods', pod.metadata.name)}/log?container=${container}&timestamps=true`
  const answer = await kube.stream(`${path}&${query}`)
  for await (const line of createInterface({input: answer})) {
    const [, time = '', text = line] = /^(\S+) (.*)$/.exec(line) ?? []
    if (time !== '' && time <= last.time) continue
    if (time !== '') last.time = time
    yield text
  }
}
