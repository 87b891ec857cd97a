import type {Context} from '../../context.js'
import {rayClusterSchema} from '../../tools/kube-objects.js'
import type {Phase, PhaseState, StepProgress} from '../../types/phase.js'
import {readBucket} from './bucket.js'
import {ingressSteps} from './ingress.js'
import {removeJobClusters} from './job-clusters.js'
import {JOB_LABEL, PODS, RELEASES, rayClusterPath} from './names.js'
import {operatorNamespace, operatorSteps, removeOperator} from './operator.js'
import {isReady, listPods} from './pods.js'
import {releaseState, releaseStep, uninstall, type WantedUpgrade} from './release.js'
import {digestOfValues, rayValues, readChart} from './values.js'
import {waitFor, waitForPodsGone, waitUntilGone} from './waiting.js'

/** A Ray cluster that grows and shrinks, with token auth. */
export const rayPhase: Phase = {
  id: '07-ray',
  needs: ['02-cluster'],
  summary: 'Install a Ray cluster that grows and shrinks',
  status: rayState,
  apply: async context => [
    ...(await operatorSteps(context)),
    await releaseStep(context, {
      id: 'install',
      title: 'Installing the Ray cluster',
      upgrade: () => wantedUpgrade(context),
      wait: progress => waitForHead(context, progress),
    }),
    ...ingressSteps(context, 'ray'),
  ],
  destroy: async context => [
    {
      id: 'uninstall',
      title: 'Removing the Ray cluster',
      plan: [`helm uninstall ${RELEASES.ray}`],
      async run(progress) {
        const kube = await context.kube()
        const jobs = await removeJobClusters(kube)
        if (jobs > 0) await waitForPodsGone(context, JOB_LABEL, progress)
        await uninstall(context, RELEASES.ray)
        await waitUntilGone(context, rayClusterPath(kube.namespace, RELEASES.ray), 'RayCluster ray', progress)
        await waitForPodsGone(context, PODS.ray, progress)
        await removeOperator(context)
      },
    },
  ],
}

async function wantedUpgrade(context: Context): Promise<WantedUpgrade> {
  const kube = await context.kube()
  const [{appVersion, folder, version}, bucket, operator] = await Promise.all([
    readChart(context, 'ray-cluster'),
    readBucket(context, kube),
    operatorNamespace(kube),
  ])
  const values = await rayValues(context, bucket, operator)
  return {
    release: RELEASES.ray,
    chart: folder,
    values,
    config: digestOfValues(version, values),
    what: 'Ray',
    appVersion,
    chartVersion: version,
  }
}

async function rayState(context: Context): Promise<PhaseState> {
  const kube = await context.kube()
  const wanted = await wantedUpgrade(context)
  const state = await releaseState(context, wanted)
  if (state) return state
  const [head] = await listPods(kube, PODS.head)
  if (!head || !isReady(head)) return {kind: 'drifted', why: 'the pod of the head is not ready'}
  const workers = (await listPods(kube, PODS.workers)).length
  return {kind: 'ready', detail: `Ray ${wanted.appVersion}, ${workers} ${workers === 1 ? 'worker' : 'workers'} now`}
}

async function waitForHead(context: Context, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  await waitFor(context, {
    what: 'The Ray head',
    selector: PODS.head,
    progress,
    async isDone() {
      const [cluster, pods] = await Promise.all([
        kube.get(rayClusterPath(kube.namespace, RELEASES.ray), rayClusterSchema),
        listPods(kube, PODS.head),
      ])
      // An upgrade ends the old head: a ready pod counts once the operator has nothing left to change.
      const isSettled = cluster?.status?.state === 'ready'
      return isSettled && pods.length === 1 && pods.every(isReady)
    },
  })
}
