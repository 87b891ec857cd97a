import {z} from 'zod'

/** The parts of Kubernetes' objects that mlv reads. */

const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  resourceVersion: z.string().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  uid: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
})

const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
})
const conditionsOf = z.array(condition).default([])

export const anySchema = z.looseObject({kind: z.string().optional(), metadata})

export const namespaceSchema = z.object({metadata, status: z.object({phase: z.string().optional()}).optional()})
export type Namespace = z.output<typeof namespaceSchema>

export const secretSchema = z.object({
  metadata,
  type: z.string().optional(),
  data: z.record(z.string(), z.string()).optional(),
})
export const configMapSchema = z.object({metadata, data: z.record(z.string(), z.string()).optional()})

const stateSchema = z.object({
  waiting: z.object({reason: z.string().optional(), message: z.string().optional()}).optional(),
  terminated: z
    .object({exitCode: z.number(), reason: z.string().optional(), message: z.string().optional()})
    .optional(),
})
const containerStatus = z.object({
  name: z.string(),
  ready: z.boolean(),
  restartCount: z.number(),
  image: z.string().optional(),
  state: stateSchema.optional(),
  lastState: stateSchema.optional(),
})
export const podSchema = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().optional(),
    restartPolicy: z.string().optional(),
    containers: z.array(z.object({name: z.string(), image: z.string().optional()})),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
      startTime: z.string().optional(),
      conditions: conditionsOf,
      initContainerStatuses: z.array(containerStatus).optional(),
      containerStatuses: z.array(containerStatus).optional(),
    })
    .default({conditions: []}),
})
export type Pod = z.output<typeof podSchema>

/** A pod as a template for another one on its network. */
export const headPodSchema = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().optional(),
    securityContext: z.looseObject({}).optional(),
    imagePullSecrets: z.array(z.looseObject({})).optional(),
    tolerations: z.array(z.looseObject({})).optional(),
    containers: z.array(
      z.object({
        image: z.string().optional(),
        imagePullPolicy: z.string().optional(),
        securityContext: z.looseObject({}).optional(),
      }),
    ),
  }),
  status: z.object({podIP: z.string().optional()}),
})

export const eventSchema = z.object({
  type: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTimestamp: z.string().nullish(),
  eventTime: z.string().nullish(),
  involvedObject: z.object({kind: z.string().optional(), name: z.string().optional(), uid: z.string().optional()}),
})

export const deploymentSchema = z.object({
  metadata: metadata.extend({generation: z.number().optional()}),
  spec: z.object({
    replicas: z.number().optional(),
    template: z
      .object({spec: z.object({containers: z.array(z.object({name: z.string(), image: z.string().optional()}))})})
      .optional(),
  }),
  status: z
    .object({
      observedGeneration: z.number().optional(),
      replicas: z.number().optional(),
      readyReplicas: z.number().optional(),
      updatedReplicas: z.number().optional(),
      conditions: conditionsOf,
    })
    .default({conditions: []}),
})

export const jobSchema = z.object({
  metadata,
  status: z.object({succeeded: z.number().optional(), conditions: conditionsOf}).default({conditions: []}),
})

const groupSchema = z.object({
  groupName: z.string(),
  minReplicas: z.number().optional(),
  maxReplicas: z.number().optional(),
  template: z.object({
    spec: z.object({
      containers: z.array(
        z.object({
          resources: z.object({limits: z.record(z.string(), z.union([z.string(), z.number()])).optional()}).optional(),
        }),
      ),
    }),
  }),
})
export const rayClusterSchema = z.object({
  metadata,
  spec: z.object({
    autoscalerOptions: z.object({idleTimeoutSeconds: z.number().optional()}).optional(),
    workerGroupSpecs: z.array(groupSchema).default([]),
  }),
  status: z
    .object({
      state: z.string().optional(),
      reason: z.string().optional(),
      head: z.object({podName: z.string().optional(), serviceName: z.string().optional()}).optional(),
      conditions: conditionsOf,
    })
    .optional(),
})

const runSchema = z.looseObject({})
const podTemplate = z.looseObject({
  metadata: z.looseObject({labels: z.record(z.string(), z.string()).optional()}).optional(),
  spec: z.looseObject({
    serviceAccountName: z.string().optional(),
    volumes: z.array(z.looseObject({name: z.string()})).default([]),
    initContainers: z.array(runSchema).optional(),
    tolerations: z.array(runSchema).default([]),
    affinity: runSchema.optional(),
    topologySpreadConstraints: z.array(z.looseObject({labelSelector: runSchema.optional()})).optional(),
    containers: z.array(
      z.looseObject({
        image: z.string().optional(),
        imagePullPolicy: z.string().optional(),
        securityContext: runSchema.optional(),
        volumeMounts: z.array(z.looseObject({name: z.string(), mountPath: z.string()})).default([]),
        resources: z
          .object({limits: z.record(z.string(), z.union([z.string(), z.number()])).optional()})
          .loose()
          .optional(),
      }),
    ),
  }),
})
export type PodTemplate = z.output<typeof podTemplate>
/** All of a Ray cluster that a job's own one is made of. */
export const rayClusterPlanSchema = z.object({
  metadata,
  spec: z.looseObject({
    rayVersion: z.string().optional(),
    authOptions: runSchema.optional(),
    headGroupSpec: z.looseObject({template: podTemplate}),
    workerGroupSpecs: z
      .array(z.looseObject({groupName: z.string(), maxReplicas: z.number().optional(), template: podTemplate}))
      .default([]),
  }),
})
export type RayClusterPlan = z.output<typeof rayClusterPlanSchema>

export const rayJobSchema = z.object({
  metadata,
  spec: z.object({jobId: z.string().optional(), metadata: z.record(z.string(), z.string()).optional()}),
  status: z
    .object({
      jobDeploymentStatus: z.string().default(''),
      jobStatus: z.string().default(''),
      message: z.string().optional(),
      reason: z.string().optional(),
      rayClusterName: z.string().optional(),
      startTime: z.string().nullish(),
      endTime: z.string().nullish(),
    })
    .default({jobDeploymentStatus: '', jobStatus: ''}),
})
export type RayJobObject = z.output<typeof rayJobSchema>

export const networkPolicySchema = z.object({metadata, spec: z.looseObject({})})

export const leaseSchema = z.object({
  metadata,
  spec: z.object({
    holderIdentity: z.string().nullish(),
    leaseDurationSeconds: z.number().nullish(),
    renewTime: z.string().nullish(),
  }),
})
export type Lease = z.output<typeof leaseSchema>

export const listOf = <T extends z.ZodType>(item: T) => z.object({items: z.array(item)})
export const quantity = (value: string | number | undefined): number => {
  const [, number = '0', unit = ''] = /^([\d.]+)([A-Za-z]*)$/.exec(String(value ?? 0)) ?? []
  const units: Record<string, number> = {
    m: 1e-3,
    k: 1e3,
    M: 1e6,
    G: 1e9,
    T: 1e12,
    Ki: 2 ** 10,
    Mi: 2 ** 20,
    Gi: 2 ** 30,
    Ti: 2 ** 40,
  }
  return Number(number) * (units[unit] ?? 1)
}
