import {type PodTemplate, quantity, type RayClusterPlan} from '../../tools/kube-objects.js'
import type {JobClusterRequest, JobNeeds, MachineShape} from '../../types/target.js'
import {CREDENTIALS_FOLDER, JOB_LABEL} from './names.js'

type Group = RayClusterPlan['spec']['workerGroupSpecs'][number]

/** How long, in seconds, and how often. */
export interface JobLimits {
  readonly deadline: number
  readonly start: number
  readonly linger: number
  readonly retries: number
}

export interface JobPod {
  /** The source of the program that brings the job's files. */
  readonly fetch: string
  /** The address of the run's artifacts as pods see it. */
  readonly artifactsUrl: string
  /** The sign-in of jobs as pods see it. */
  readonly credentialsFile: string
}

const JOB_VOLUME = {name: 'job', mountPath: '/mnt/job'}
/** Of the autoscaler alone: a job's own cluster has the size that it needs from the beginning. */
const AUTOSCALER = /^autoscaler-/
/** What clouds keep other pods off spot nodes by. */
const SPOT_TAINTS = ['cloud.google.com/gke-spot', 'kubernetes.azure.com/scalesetpriority']

/** What a worker of the group has. */
export function shapeOf({maxReplicas = 0, template}: Pick<Group, 'maxReplicas' | 'template'>): MachineShape {
  const limits = template.spec.containers[0]?.resources?.limits ?? {}
  const gpu = Object.entries(limits).find(([name]) => /gpu|\/mig-/.test(name))?.[1]
  return {cpus: Math.ceil(quantity(limits.cpu)), gpus: quantity(gpu), count: maxReplicas}
}

/** How many times the need goes into one machine. */
function roomIn({cpus, gpus}: MachineShape, needs: JobNeeds): number {
  const byCpu = Math.floor(cpus / needs.cpus + 1e-9)
  return needs.gpus > 0 ? Math.min(byCpu, Math.floor(gpus / needs.gpus + 1e-9)) : byCpu
}

/** The group whose machines fit with the least left over, and how many of them; undefined where none ever fits. */
export function groupFor(groups: readonly Group[], needs: JobNeeds): {group: Group; replicas: number} | undefined {
  const fit = groups
    .map(group => ({group, shape: shapeOf(group)}))
    .filter(({shape}) => shape.count > 0 && roomIn(shape, needs) > 0)
    .sort((one, other) => one.shape.gpus - other.shape.gpus || one.shape.cpus - other.shape.cpus)[0]
  if (!fit) return undefined
  const {count} = fit.shape
  const places = needs.places ?? Number.POSITIVE_INFINITY
  const replicas = Math.min(count, Math.max(needs.machines, Math.ceil(places / roomIn(fit.shape, needs))))
  return {group: fit.group, replicas}
}

/**
 * A RayJob made of the very pods that the chart renders for the shared cluster: what is strict about those is strict here, and
 * what somebody has changed by values holds here too. Secrets stay where they are mounted from.
 */
export function rayJob(
  name: string,
  plan: RayClusterPlan,
  request: JobClusterRequest,
  {limits, pod, workers}: {limits: JobLimits; pod: JobPod; workers: {group: Group; replicas: number}},
): object {
  const {authOptions, headGroupSpec, rayVersion} = plan.spec
  const {group, replicas} = workers
  // The head's own account may change Ray clusters, for the autoscaler that is not here.
  const account = group.template.spec.serviceAccountName
  const template = (of: PodTemplate, component: string) => podOf(of, name, component, {account, pod, request})
  const head = template(headGroupSpec.template, 'head')
  const worker = template(group.template, 'worker')
  return {
    apiVersion: 'ray.io/v1',
    kind: 'RayJob',
    metadata: {name, labels: {'app.kubernetes.io/managed-by': 'mlv', [JOB_LABEL]: name}},
    spec: {
      // The operator hands the job in: no pod for it, and nobody's laptop has to stay.
      submissionMode: 'HTTPMode',
      jobId: request.id,
      entrypoint: request.entrypoint,
      metadata: request.metadata,
      runtimeEnvYAML: JSON.stringify(request.runtimeEnv),
      shutdownAfterJobFinishes: true,
      ttlSecondsAfterFinished: limits.linger,
      activeDeadlineSeconds: limits.deadline,
      preRunningDeadlineSeconds: limits.start,
      backoffLimit: limits.retries,
      rayClusterSpec: {
        rayVersion,
        authOptions,
        headGroupSpec: {...headGroupSpec, template: head},
        workerGroupSpecs: [
          {
            ...withoutScale(group),
            replicas,
            minReplicas: replicas,
            maxReplicas: replicas,
            template: {...worker, spec: {...worker.spec, tolerations: tolerationsOf(worker)}},
          },
        ],
      },
    },
  }
}

function withoutScale({replicas: _replicas, scaleStrategy: _strategy, ...group}: Group): Omit<Group, 'replicas'> {
  return group
}

interface Parts {
  readonly account: string | undefined
  readonly pod: JobPod
  readonly request: JobClusterRequest
}

function podOf({metadata, spec}: PodTemplate, name: string, component: string, {account, pod, request}: Parts) {
  const labels = {...metadata?.labels, 'app.kubernetes.io/instance': name, 'app.kubernetes.io/component': component}
  const [ray, ...others] = spec.containers
  const volumes = spec.volumes.filter(volume => !AUTOSCALER.test(volume.name))
  const fetched = {
    url: `${pod.artifactsUrl}/${request.artifacts}`,
    credentials: pod.credentialsFile,
    folders: request.folders,
  }
  const signIn = ray?.volumeMounts.find(({mountPath}) => mountPath === CREDENTIALS_FOLDER)
  return {
    metadata: {...metadata, labels: {...labels, [JOB_LABEL]: name}},
    spec: {
      ...spec,
      serviceAccountName: account,
      volumes: [...volumes, {name: JOB_VOLUME.name, emptyDir: {sizeLimit: '2Gi'}}],
      ...(spec.topologySpreadConstraints && {
        topologySpreadConstraints: spec.topologySpreadConstraints.map(constraint => ({
          ...constraint,
          labelSelector: {matchLabels: {[JOB_LABEL]: name, 'app.kubernetes.io/component': component}},
        })),
      }),
      initContainers: [
        ...(spec.initContainers ?? []),
        {
          name: 'fetch',
          image: ray?.image,
          imagePullPolicy: ray?.imagePullPolicy,
          securityContext: ray?.securityContext,
          command: ['python', '-I', '-c', pod.fetch, JSON.stringify(fetched)],
          resources: {requests: {cpu: '50m', memory: '64Mi'}, limits: {cpu: '1', memory: '256Mi'}},
          volumeMounts: [JOB_VOLUME, ...(signIn ? [signIn] : [])],
        },
      ],
      containers: [{...ray, volumeMounts: [...(ray?.volumeMounts ?? []), JOB_VOLUME]}, ...others],
    },
  }
}

/** Workers may stand on spot nodes unless their group is kept off them; the head never does. */
function tolerationsOf({spec}: {spec: Pick<PodTemplate['spec'], 'affinity' | 'tolerations'>}): object[] {
  const isKeptOff = JSON.stringify(spec.affinity ?? {}).includes('"NotIn"')
  const spot = SPOT_TAINTS.map(key => ({key, operator: 'Exists', effect: 'NoSchedule'}))
  return isKeptOff ? spec.tolerations : [...spec.tolerations, ...spot]
}
