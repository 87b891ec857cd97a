import {z} from 'zod'

const text = z.string().min(1, 'text that is not empty')
const quantity = z.string().regex(/^\d+(\.\d+)?(m|[kMGT]i?)?$/, 'an amount of Kubernetes such as 8Gi')
const cpus = z.union([z.number().positive(), z.string().regex(/^\d+m?$/)])
const image = z
  .string()
  .regex(/^[\w][\w.:/-]*(@sha256:[0-9a-f]{64})?$/, 'an image such as registry.example.com/mlv-train:1.0')
const values = (chart: string) =>
  text.optional().meta({
    description: `A YAML file, relative to mlv.yaml, with values of ${chart} that go over those of mlv.`,
    examples: [`${chart.split('/').at(-1)}.yaml`],
  })

const address = z
  .string()
  .regex(
    /^(https:\/\/[\w.-]+|http:\/\/(127\.0\.0\.1|localhost))(:\d+)?$/,
    'an address such as https://mlflow.example.com, with no path; plain http would show passwords',
  )
  .optional()

const group = (limits: {max: number; cpus: number; memory: string}) => ({
  min: z.int().min(0).default(0).meta({description: 'Pods that are always there.'}),
  max: z.int().min(0).default(limits.max).meta({description: 'Pods at most.'}),
  cpus: cpus.default(limits.cpus).meta({description: 'CPUs of a pod.'}),
  memory: quantity.default(limits.memory).meta({description: 'Memory of a pod.'}),
})

/** What only profiles on a cluster have. */
export const clusterSettings = {
  kubernetes: z
    .strictObject({
      context: text.optional().meta({
        description: 'The context of the kubeconfig; the current one never counts.',
        examples: ['my-cluster'],
      }),
      namespace: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and "-"')
        .default('mlv')
        .meta({description: 'The namespace that everything is made in.'}),
      server: text.optional().meta({
        description: "The API server's address; mlv refuses a context that leads elsewhere.",
        examples: ['https://10.0.0.1:6443'],
      }),
      ca: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits')
        .optional()
        .meta({description: "The digest of the cluster's certificate authority; another one is refused."}),
      timeout: z
        .int()
        .min(1)
        .default(10)
        .meta({description: 'Minutes that pods may take to become ready, with the pull of their images.'}),
    })
    .prefault({})
    .meta({description: 'The cluster; only for target kubernetes.', target: 'kubernetes'}),
  network_policy: z.enum(['preferred', 'required']).default('preferred').meta({
    description: 'Whether `mlv verify` fails or only warns where the cluster enforces no NetworkPolicy.',
    target: 'kubernetes',
  }),
  ingress: z
    .strictObject({
      mlflow: address.meta({
        description: 'Where MLflow is reached; without it, by a tunnel.',
        examples: ['https://mlflow.example.com'],
      }),
      ray: address.meta({
        description: "Where Ray's dashboard is reached; without it, by a tunnel.",
        examples: ['https://ray.example.com'],
      }),
      class: text.optional().meta({
        description: 'The class of the ingresses that setup makes; without it, others make them.',
        examples: ['alb', 'nginx'],
      }),
      tlsSecret: text.optional().meta({description: 'A Secret with the certificate; not for class alb.'}),
      namespace: text.optional().meta({
        description: 'The namespace of the ingress controller, whose pods the NetworkPolicies let in.',
        examples: ['ingress-nginx'],
      }),
    })
    .prefault({})
    .meta({description: 'Addresses in place of tunnels.', target: 'kubernetes'}),
  workers: z
    .strictObject(group({max: 10, cpus: 4, memory: '8Gi'}))
    .prefault({})
    .meta({description: 'Workers of Ray without a GPU, on a cluster.', target: 'kubernetes'}),
  gpuWorkers: z
    .strictObject({
      ...group({max: 5, cpus: 4, memory: '14Gi'}),
      gpus: z.int().min(1).default(1).meta({description: 'GPUs of a pod.'}),
    })
    .prefault({})
    .meta({description: 'Workers of Ray with GPUs, on a cluster.', target: 'kubernetes'}),
  jobClusters: z
    .strictObject({
      deadline: z.number().positive().default(24).meta({description: 'Hours that such a job may take at most.'}),
      start: z.number().positive().default(30).meta({description: 'Minutes that its pods may take to be there.'}),
      linger: z.int().min(0).default(120).meta({description: 'Seconds that the cluster outlives its job.'}),
      retries: z.int().min(0).default(0).meta({description: 'How often a lost cluster is made again.'}),
    })
    .prefault({})
    .meta({description: 'Ray clusters of jobs with `isolation: cluster`.', target: 'kubernetes'}),
  images: z
    .strictObject({
      mlflow: image.optional().meta({
        description: 'The image of MLflow, made by docker/mlflow.Dockerfile.',
        examples: ['registry.example.com/mlv-mlflow:0.1.0'],
      }),
      train: image.optional().meta({
        description: "The image of Ray and of jobs, made by docker/train.Dockerfile; Ray's own by default.",
        examples: ['registry.example.com/mlv-train:0.1.0'],
      }),
    })
    .prefault({})
    .meta({description: 'Images for a cluster.', target: 'kubernetes'}),
  charts: z
    .strictObject({
      kuberay: text.default('oci://quay.io/kuberay/kuberay-operator').meta({
        description: "KubeRay's operator, where the cluster has none: an address or a folder.",
      }),
      kuberayVersion: text.default('1.6.1').meta({description: 'The version of that chart.'}),
      mlflowValues: values('charts/mlflow'),
      rayValues: values('charts/ray-cluster'),
    })
    .prefault({})
    .meta({description: 'Helm charts for a cluster.', target: 'kubernetes'}),
} as const
