import type {Pod} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {endOf, lastLines, listPods} from './pods.js'

/** One may be an accident. */
const ENOUGH = 2

export interface Crash {
  readonly why: string
  readonly lines: readonly string[]
}

/**
 * Sees pods that end one after the other. KubeRay takes a head that has ended away and makes another one: whoever looks at the
 * pods that there are sees only young ones.
 */
export function watchCrashes(kube: Kube, selector: string): {look(): Promise<Crash | undefined>} {
  const began = kube.now()
  const seen = new Map<string, Crash>()
  const isNew = ({metadata}: Pod) => Date.parse(metadata.creationTimestamp ?? '') >= began - 1000
  return {
    async look() {
      for (const pod of (await listPods(kube, selector, {withLeaving: true})).filter(isNew)) {
        const end = endOf(pod)
        if (end && !seen.has(pod.metadata.name))
          seen.set(pod.metadata.name, {why: end.why, lines: await lastLines(kube, pod)})
      }
      if (seen.size < ENOUGH) return undefined
      const all = [...seen.values()]
      const last = all.findLast(({lines}) => lines.length > 0) ?? all.at(-1)
      return last && {...last, why: `${seen.size} pods ended one after the other, ${last.why}`}
    },
  }
}
