import {textOf} from '../../tools/http.js'
import {eventSchema, listOf, type Pod, podSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {corePath} from './names.js'

/** Why a pod is not ready, in words; `isFinal` where waiting cannot help. */
export interface PodTrouble {
  readonly pod: string
  readonly why: string
  readonly isFinal: boolean
}

const NEVER = new Set(['InvalidImageName', 'ErrImageNeverPull', 'CreateContainerConfigError'])
const PULL = new Set(['ErrImagePull', 'ImagePullBackOff', 'RegistryUnavailable'])
const CRASHES = 3
const LOG_LINES = 8

export async function listPods(kube: Kube, selector: string, {withLeaving = false} = {}): Promise<Pod[]> {
  const path = `${corePath(kube.namespace, 'pods')}?labelSelector=${encodeURIComponent(selector)}`
  const {items} = await kube.call('GET', path, listOf(podSchema))
  return items.filter(({metadata}) => withLeaving || metadata.deletionTimestamp === undefined)
}

export const isReady = ({status}: Pod): boolean =>
  status.conditions.some(({status: value, type}) => type === 'Ready' && value === 'True')

/** What the first pod that is not ready suffers from; undefined where all only start. */
export async function troubleOf(kube: Kube, pods: readonly Pod[]): Promise<PodTrouble | undefined> {
  for (const pod of pods.filter(one => !isReady(one))) {
    const found = ofContainers(pod) ?? endOf(pod) ?? (await ofEvents(kube, pod))
    if (found) return {pod: pod.metadata.name, ...found}
  }
  return undefined
}

type Found = Omit<PodTrouble, 'pod'>

function ofContainers({status}: Pod): Found | undefined {
  for (const {image, lastState, name, restartCount, state} of [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
  ]) {
    const reason = state?.waiting?.reason ?? ''
    const said = state?.waiting?.message ?? ''
    if (PULL.has(reason)) return {why: `image cannot be pulled: ${image ?? name}`, isFinal: false}
    if (NEVER.has(reason)) return {why: `${name} cannot start: ${reason} ${said}`.trim(), isFinal: true}
    const died = lastState?.terminated ?? state?.terminated
    if (died && died.exitCode !== 0 && restartCount > 0)
      return {
        why: `${name} ended with exit code ${died.exitCode}${died.reason === 'OOMKilled' ? ' (out of memory)' : ''}, ${restartCount} times`,
        isFinal: restartCount >= CRASHES,
      }
  }
  const placed = status.conditions.find(({type}) => type === 'PodScheduled')
  if (placed?.status === 'False') return {why: `no node takes it: ${placed.message ?? placed.reason}`, isFinal: false}
  return undefined
}

/** A pod that is not started again has ended for good; only a Job makes another one by itself. */
export function endOf({metadata, spec, status}: Pod): Found | undefined {
  if (spec.restartPolicy !== 'Never' || metadata.labels?.['batch.kubernetes.io/job-name'] !== undefined)
    return undefined
  const ended = status.containerStatuses?.find(({state}) => (state?.terminated?.exitCode ?? 0) !== 0)
  return ended && {why: `${ended.name} ended with exit code ${ended.state?.terminated?.exitCode}`, isFinal: true}
}

async function ofEvents(kube: Kube, {metadata, status}: Pod): Promise<Found | undefined> {
  if (status.phase !== 'Pending') return undefined
  const field = encodeURIComponent(`involvedObject.name=${metadata.name},type=Warning`)
  const events = await kube.get(`${corePath(kube.namespace, 'events')}?fieldSelector=${field}`, listOf(eventSchema))
  const last = events?.items.at(-1)
  return last && {why: `${last.reason}: ${last.message}`, isFinal: false}
}

/** The last lines that a pod wrote; before its last restart where it has had one. */
export async function lastLines(kube: Kube, pod: Pod): Promise<string[]> {
  const statuses = [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])]
  const restarted = statuses.find(({restartCount}) => restartCount > 0)
  const ended = statuses.find(({state}) => (state?.terminated?.exitCode ?? 0) !== 0)
  const container = (restarted ?? ended)?.name ?? pod.spec.containers[0]?.name ?? ''
  const base = `${corePath(kube.namespace, 'pods', pod.metadata.name)}/log?container=${container}&tailLines=${LOG_LINES}`
  for (const path of restarted ? [`${base}&previous=true`, base] : [base]) {
    try {
      const text = await textOf(await kube.stream(path))
      if (text.trim() !== '') return text.trimEnd().split('\n')
    } catch {
      // A container that has not begun has no log.
    }
  }
  return []
}
