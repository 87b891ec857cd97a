import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../../context.js'
import {MlvError, withoutStop} from '../../errors.js'
import {anySchema, type Pod} from '../../tools/kube-objects.js'
import type {StepProgress} from '../../types/phase.js'
import {type Crash, watchCrashes} from './crashes.js'
import {isReady, lastLines, listPods, type PodTrouble, troubleOf} from './pods.js'

const PAUSE_MS = 500

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
  const crashes = watchCrashes(kube, selector)
  for (;;) {
    context.signal.throwIfAborted()
    const done = await isDone()
    if (done === true) return
    const crash = await crashes.look()
    const pods = await listPods(kube, selector)
    const trouble = await troubleOf(kube, pods)
    const failure = typeof done === 'string' ? done : crash?.why
    const isLate = performance.now() > until
    if (failure || trouble?.isFinal || isLate)
      throw await notReady(context, waiting, {crash, failure, isLate, pods, trouble})
    progress.update(trouble ? `${trouble.pod}: ${trouble.why}` : describe(pods))
    await pause(PAUSE_MS)
  }
}

interface Seen {
  readonly crash: Crash | undefined
  readonly failure: string | undefined
  readonly isLate: boolean
  readonly pods: readonly Pod[]
  readonly trouble: PodTrouble | undefined
}

async function notReady(context: Context, {selector, what}: Waiting, seen: Seen): Promise<MlvError> {
  const {crash, failure, isLate, pods, trouble} = seen
  const kube = await context.kube()
  const suffering = pods.find(({metadata}) => metadata.name === trouble?.pod)
  const why = failure ?? (trouble ? `${trouble.pod}: ${trouble.why}` : 'its pods only start')
  const isImage = failure === undefined && trouble?.why.startsWith('image') === true
  const late = isLate ? ` within ${context.profile.settings.kubernetes.timeout} min` : ''
  return new MlvError(
    isImage ? 'MLV_CLUSTER_IMAGE' : 'MLV_CLUSTER_WAIT',
    `${what} did not become ready${late}: ${withoutStop(why)}.`,
    {
      details: crash?.lines ?? (suffering ? await lastLines(kube, suffering) : []),
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
