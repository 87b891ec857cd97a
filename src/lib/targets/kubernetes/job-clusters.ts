import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../../context.js'
import {MlvError, withoutStop} from '../../errors.js'
import {KubeError} from '../../tools/kube-error.js'
import {
  anySchema,
  listOf,
  networkPolicySchema,
  type Pod,
  type RayClusterPlan,
  rayClusterPlanSchema,
  rayJobSchema,
} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {JobClusterState, JobClusters, JobsEndpoint, RayEndpoint} from '../../types/target.js'
import {refusedPods} from './hindrances.js'
import {NOT_STARTED, toState} from './job-state.js'
import {groupPath, JOB_LABEL, jobClusterName, RAY_PORT, RELEASES, rayClusterPath, rayJobPath} from './names.js'
import {isReady, lastLines, listPods, type PodTrouble, troubleOf} from './pods.js'
import {groupFor, rayJob, shapeOf} from './ray-job.js'

/** An object of a job that ended tells nothing that its run does not. */
const KEPT_MS = 3_600_000
const START_GRACE_MS = 60_000
const OURS = 'app.kubernetes.io/managed-by=mlv'

const ourJobsPath = ({namespace}: Kube) => `${rayJobPath(namespace)}?labelSelector=${encodeURIComponent(OURS)}`

export interface JobClustersOptions {
  jobs(): Promise<JobsEndpoint>
  /** Through a tunnel to that service. */
  reach(service: string, port: number): Promise<RayEndpoint>
}

/** RayJobs: a Ray cluster for one job, gone a little after it. */
export function jobClusters(context: Context, {jobs, reach}: JobClustersOptions): JobClusters {
  const {deadline, linger, retries, start} = context.profile.settings.jobClusters
  const limits = {deadline: Math.ceil(deadline * 3600), start: Math.ceil(start * 60), linger, retries}
  const all = async (kube: Kube) => (await kube.get(ourJobsPath(kube), listOf(rayJobSchema)))?.items ?? []

  return {
    // A little more: the operator's own end of the wait has the cause.
    startMs: limits.start * 1000 + START_GRACE_MS,
    shapes: async () => (await planOf(context)).spec.workerGroupSpecs.map(shapeOf),
    async create(request) {
      const kube = await context.kube()
      const [plan, {credentialsFile, trackingUrl}, fetch] = await Promise.all([
        planOf(context),
        jobs(),
        readFile(join(context.packageDir, 'charts/ray-cluster/files/fetch.py'), 'utf8'),
      ])
      const workers = groupFor(plan.spec.workerGroupSpecs, request.needs)
      if (!workers) throw neverFits(context)
      await forgetOld(kube, await all(kube))
      const pod = {fetch, credentialsFile, artifactsUrl: `${trackingUrl}/api/2.0/mlflow-artifacts/artifacts`}
      const name = jobClusterName(request.id)
      return make(kube, name, rayJob(name, plan, request, {limits, pod, workers}))
    },
    async find(id) {
      const kube = await context.kube()
      const name = jobClusterName(id)
      const found = await kube.get(rayJobPath(kube.namespace, name), rayJobSchema)
      if (!found) return undefined
      const state = toState(found, limits, null)
      if (state.status === 'PENDING') return withPods(kube, state, name)
      if (found.status.reason !== NOT_STARTED) return state
      const trouble = await troubleOf(kube, await listPods(kube, `${JOB_LABEL}=${name}`))
      const cause = trouble ? `pod ${trouble.pod}: ${trouble.why}` : await refusedPods(kube, name)
      return cause ? {...state, message: `${state.message}: ${withoutStop(cause)}`} : state
    },
    list: async () => (await all(await context.kube())).map(found => toState(found, limits, null)),
    async ray(id) {
      const kube = await context.kube()
      const found = await kube.get(rayJobPath(kube.namespace, jobClusterName(id)), rayJobSchema)
      const cluster = found?.status.rayClusterName
      if (!cluster || !(await kube.get(rayClusterPath(kube.namespace, cluster), anySchema))) return undefined
      return reach(`${cluster}-head-svc`, RAY_PORT).catch(error => {
        if (error instanceof MlvError && (error.code === 'MLV_TUNNEL' || error.code === 'MLV_NOT_RUNNING'))
          return undefined
        throw error
      })
    },
    async remove(id) {
      const kube = await context.kube()
      await removeJobCluster(kube, jobClusterName(id))
    },
  }
}

/** What the chart made for the shared cluster is the plan of all others. */
async function planOf(context: Context): Promise<RayClusterPlan> {
  const kube = await context.kube()
  const found = await kube.get(rayClusterPath(kube.namespace, RELEASES.ray), rayClusterPlanSchema)
  if (found) return found
  throw new MlvError('MLV_NOT_RUNNING', `Ray of profile ${context.profile.name} is not set up.`, {
    tryThis: [context.command('setup'), context.command('status')],
  })
}

/** The policy stands before the first pod does, and goes with the job. */
async function make(kube: Kube, name: string, job: object): Promise<boolean> {
  const isPolicyNew = await copyPolicy(kube, name)
  try {
    const made = await kube.call('POST', rayJobPath(kube.namespace), anySchema, {body: job})
    if (!isPolicyNew) return true
    const owner = {apiVersion: 'ray.io/v1', kind: 'RayJob', name, uid: made.metadata.uid}
    await kube.call('PATCH', policyPath(kube.namespace, name), anySchema, {
      body: {metadata: {ownerReferences: [owner]}},
    })
    return true
  } catch (error) {
    if (error instanceof KubeError && error.status === 409) return false
    if (isPolicyNew) await kube.remove(policyPath(kube.namespace, name)).catch(() => false)
    throw error
  }
}

const policyPath = (namespace: string, name = '') =>
  groupPath('networking.k8s.io/v1', namespace, 'networkpolicies', name)

/** As narrow as the shared cluster's; false where that has none, or the job had one already. */
async function copyPolicy(kube: Kube, name: string): Promise<boolean> {
  const found = await kube.get(policyPath(kube.namespace, RELEASES.ray), networkPolicySchema)
  if (!found) return false
  const shared = JSON.stringify({'ray.io/cluster': RELEASES.ray})
  const spec = JSON.parse(JSON.stringify(found.spec).replaceAll(shared, JSON.stringify({[JOB_LABEL]: name})))
  const body = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {name, labels: {'app.kubernetes.io/managed-by': 'mlv', [JOB_LABEL]: name}},
    spec,
  }
  return kube.call('POST', policyPath(kube.namespace), anySchema, {body}).then(
    () => true,
    error => {
      if (error instanceof KubeError && error.status === 409) return false
      throw error
    },
  )
}

async function removeJobCluster(kube: Kube, name: string): Promise<void> {
  await kube.remove(rayJobPath(kube.namespace, name))
  await kube.remove(policyPath(kube.namespace, name))
}

async function forgetOld(
  kube: Kube,
  jobs: readonly {metadata: {name: string}; status: {endTime?: string | null | undefined}}[],
) {
  const old = jobs.filter(({status: {endTime}}) => endTime && kube.now() - Date.parse(endTime) > KEPT_MS)
  for (const {metadata} of old) await removeJobCluster(kube, metadata.name)
}

/** Every job's own cluster of the namespace goes, and what it runs with it. */
export async function removeJobClusters(kube: Kube): Promise<number> {
  const found = (await kube.get(ourJobsPath(kube), listOf(anySchema)))?.items ?? []
  for (const {metadata} of found) await removeJobCluster(kube, metadata.name)
  return found.length
}

/** What its pods suffer from; one that can never start ends the wait. */
async function withPods(kube: Kube, state: JobClusterState, name: string): Promise<JobClusterState> {
  const pods = await listPods(kube, `${JOB_LABEL}=${name}`)
  const trouble = await troubleOf(kube, pods)
  if (trouble?.isFinal)
    return {...state, status: 'FAILED', isStuck: true, message: await lastWords(kube, pods, trouble)}
  const ready = pods.filter(isReady).length
  const count = `its cluster is made: ${ready} of ${pods.length} pods are ready`
  if (trouble) return {...state, message: `pod ${trouble.pod} does not start: ${withoutStop(trouble.why)}`}
  const refused = await refusedPods(kube, name)
  if (refused) return {...state, message: `the cluster refuses a pod: ${withoutStop(refused)}`}
  return {...state, message: pods.length === 0 ? 'its cluster is made' : count}
}

async function lastWords(kube: Kube, pods: readonly Pod[], {pod: name, why}: PodTrouble): Promise<string> {
  const pod = pods.find(({metadata}) => metadata.name === name)
  const words = pod ? (await lastLines(kube, pod)).join(' | ') : ''
  return `pod ${name} cannot start: ${withoutStop(why)}${words && `; it said: ${words}`}`
}

function neverFits({command}: Context): MlvError {
  return new MlvError('MLV_JOB_TOO_BIG', 'No pod of this profile can ever have what the job asks for.', {
    tryThis: [command('config show'), 'Raise `workers` or `gpuWorkers` in mlv.yaml, then:', command('setup')],
  })
}
