import type {Context} from '../../context.js'
import {rayClusterSchema} from '../../tools/kube-objects.js'
import type {Fleet} from '../../types/target.js'
import {PODS, RELEASES, rayClusterPath} from './names.js'
import {isReady, listPods} from './pods.js'

const CPU = 'cpu'
/** Ray's own, where the RayCluster says nothing. */
const IDLE_S = 60

/** The workers that there are and may be; the CPU group alone grows for the sake of a proof. */
export async function readFleet(context: Context): Promise<Fleet> {
  const kube = await context.kube()
  const [cluster, pods] = await Promise.all([
    kube.get(rayClusterPath(kube.namespace, RELEASES.ray), rayClusterSchema),
    listPods(kube, PODS.workers),
  ])
  const max = cluster?.spec.workerGroupSpecs.find(({groupName}) => groupName === CPU)?.maxReplicas ?? 0
  const there = pods.filter(({metadata}) => metadata.labels?.['ray.io/group'] === CPU).length
  return {
    machines: pods.length,
    room: max - there,
    idleSeconds: cluster?.spec.autoscalerOptions?.idleTimeoutSeconds ?? IDLE_S,
  }
}

/** The pods of MLflow that are ready, by their names. */
export async function readServers(context: Context): Promise<string[]> {
  const pods = await listPods(await context.kube(), PODS.servers)
  return pods.filter(isReady).map(({metadata}) => metadata.name)
}
