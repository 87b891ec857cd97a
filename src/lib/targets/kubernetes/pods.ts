import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {textOf} from '../../tools/http.js'
import {anySchema, eventSchema, listOf, type Pod, podSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {StepProgress} from '../../types/phase.js'
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
const PAUSE_MS = 500

export async function listPods(kube: Kube, selector: string, {withLeaving = false} = {}): Promise<Pod[]> {
  const path = `${corePath(kube.namespace, 'pods')}?labelSelector=${encodeURIComponent(selector)}`
  const {items} = await kube.call('GET', path, listOf(podSchema))
  return items.filter(({metadata}) => withLeaving || metadata.deletionTimestamp === undefined)
}

export const isReady = ({status}: Pod): boolean =>
  status.conditions.some(({status: value, type}) => type === 'Ready' && value === 'True')

/** What the first pod that is in trouble suffers from; undefined where all only start. */
export async function troubleOf(kube: Kube, pods: readonly Pod[]): Promise<PodTrouble | undefined> {
  for (const pod of pods) {
    const found = ofContainers(pod) ?? (await ofEvents(kube, pod))
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

async function ofEvents(kube: Kube, {metadata, status}: Pod): Promise<Found | undefined> {
  if (status.phase !== 'Pending') return undefined
  const field = encodeURIComponent(`involvedObject.name=${metadata.name},type=Warning`)
  const events = await kube.get(`${corePath(kube.namespace, 'events')}?fieldSelector=${field}`, listOf(eventSchema))
  const last = events?.items.at(-1)
  return last && {why: `${last.reason}: ${last.message}`, isFinal: false}
}

/** The last lines that a pod wrote; before its last restart where it has had one. */
export async function lastLines(kube: Kube, pod: Pod): Promise<string[]> {
  const container = pod.spec.containers[0]?.name ?? ''
  const restarted = pod.status.containerStatuses?.some(({restartCount}) => restartCount > 0)
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

export interface Waiting {
  readonly what: string
  readonly selector: string
  readonly progress: StepProgress
  /** True when it is there; a text says why it can never be. */
  isDone(): Promise<boolean | string>
}

/** Waits for one end or the other with one deadline, and says meanwhile what pods wait for. */
export async function waitFor(context: Context, waiting: Waiting): Promise<void> {
  const {isDone, progress, selector} = waiting
  const kube = await context.kube()
  const until = deadlineOf(context)
  for (;;) {
    context.signal.throwIfAborted()
    const done = await isDone()
    if (done === true) return
    const pods = await listPods(kube, selector)
    const trouble = await troubleOf(
      kube,
      pods.filter(pod => !isReady(pod)),
    )
    const failure = typeof done === 'string' ? done : undefined
    const isLate = performance.now() > until
    if (failure || trouble?.isFinal || isLate) throw await notReady(context, waiting, {failure, isLate, pods, trouble})
    progress.update(trouble ? `${trouble.pod}: ${trouble.why}` : describe(pods))
    await pause(PAUSE_MS)
  }
}

interface Seen {
  readonly failure: string | undefined
  readonly isLate: boolean
  readonly pods: readonly Pod[]
  readonly trouble: PodTrouble | undefined
}

async function notReady(context: Context, {selector, what}: Waiting, seen: Seen): Promise<MlvError> {
  const {failure, isLate, pods, trouble} = seen
  const kube = await context.kube()
  const suffering = pods.find(({metadata}) => metadata.name === trouble?.pod)
  const why = failure ?? (trouble ? `${trouble.pod}: ${trouble.why}` : 'its pods only start')
  const isImage = failure === undefined && trouble?.why.startsWith('image') === true
  const late = isLate ? ` within ${context.profile.settings.kubernetes.timeout} min` : ''
  return new MlvError(
    isImage ? 'MLV_CLUSTER_IMAGE' : 'MLV_CLUSTER_WAIT',
    `${what} did not become ready${late}: ${why.replace(/\.$/, '')}.`,
    {
      details: suffering ? await lastLines(kube, suffering) : [],
      tryThis: [
        `kubectl --context ${kube.context} -n ${kube.namespace} describe pods -l ${selector}`,
        ...(isImage ? ['Set `images` in mlv.yaml to images that the nodes can pull.'] : []),
        context.command('setup'),
      ],
    },
  )
}

function describe(pods: readonly Pod[]): string {
  const ready = pods.filter(isReady).length
  return pods.length === 0
    ? 'waiting for pods'
    : `${ready} of ${pods.length} ${pods.length === 1 ? 'pod' : 'pods'} ready`
}

/** Waits until an object that was told to go has gone, finalizers and all. */
export async function waitUntilGone(
  context: Context,
  path: string,
  what: string,
  progress: StepProgress,
): Promise<void> {
  const kube = await context.kube()
  await waitForLeft(context, progress, `kubectl --context ${kube.context} get --raw ${path}`, async () => {
    const found = await kube.get(path, anySchema)
    const finalizers = found?.metadata.finalizers ?? []
    return found && `${what}${finalizers.length > 0 ? `, held by ${finalizers.join(', ')}` : ''}`
  })
}

/** Waits until nothing of a release that was removed runs on. */
export async function waitForPodsGone(context: Context, selector: string, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  const look = `kubectl --context ${kube.context} -n ${kube.namespace} get pods -l ${selector}`
  await waitForLeft(context, progress, look, async () => {
    const {length} = await listPods(kube, selector, {withLeaving: true})
    return length === 0 ? undefined : `${length} ${length === 1 ? 'pod' : 'pods'} left`
  })
}

/** Until `left` has nothing more to name, with the deadline of everything that is waited for. */
async function waitForLeft(
  context: Context,
  progress: StepProgress,
  look: string,
  left: () => Promise<string | undefined>,
): Promise<void> {
  const until = deadlineOf(context)
  for (;;) {
    context.signal.throwIfAborted()
    const what = await left()
    if (what === undefined) return
    if (performance.now() > until)
      throw new MlvError('MLV_CLUSTER_WAIT', `Not all goes away: ${what}.`, {
        tryThis: [look, context.command('teardown')],
      })
    progress.update(what)
    await pause(PAUSE_MS)
  }
}

const deadlineOf = ({profile}: Context): number => performance.now() + profile.settings.kubernetes.timeout * 60_000
