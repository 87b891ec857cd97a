import {z} from 'zod'

import {clusterSettings} from './kubernetes-settings.js'
import type {Origin} from './origin.js'

const text = z.string().min(1, 'text that is not empty')
const place = z
  .string()
  .regex(
    /^(s3:\/\/[^\s/]+(\/.*)?|(?![A-Za-z][\w+.-]*:\/\/).+)$/,
    'a folder or an address such as s3://my-bucket/folder',
  )
const storage = z
  .string()
  .regex(
    /^(s3:\/\/[^\s/]+(\/.*)?|claim:\/\/[a-z0-9][a-z0-9.-]*|(?![A-Za-z][\w+.-]*:\/\/).+)$/,
    'a folder, an address such as s3://my-bucket/folder, or claim://NAME',
  )
const storeForm = 'an address such as postgresql://user@host:5432/mlflow'
const port = z.int().min(1).max(65_535).optional()

/** One profile's settings as they stand in `mlv.yaml`; the source of schemas/mlv.schema.json and docs/settings.md. */
export const profileSchema = z.strictObject({
  target: z
    .enum(['local', 'kubernetes'])
    .default('local')
    .meta({description: 'Where this profile runs. local: processes on this machine; kubernetes: a cluster.'}),
  python: z
    .strictObject({
      path: text.optional().meta({
        description: 'The Python 3.10 to 3.13 that the environment is made with; found on PATH by default.',
        examples: ['/usr/bin/python3.12'],
      }),
      torch: z
        .string()
        .regex(/^(auto|cpu|cu\d+|rocm[\d.]+)$/, 'auto, cpu, or one of the indexes of PyTorch such as cu128')
        .default('auto')
        .meta({description: 'Which build of PyTorch: auto, cpu, or one of its indexes such as cu128.'}),
      requirements: text.optional().meta({
        description: "A requirements file with the project's extra packages, relative to mlv.yaml.",
        examples: ['requirements.txt'],
      }),
    })
    .prefault({})
    .meta({description: 'The Python environment that jobs run in.'}),
  mlflow: z
    .strictObject({
      store: z
        .string()
        .regex(/^postgres(ql)?(\+\w+)?:\/\/(\S*@)?[^\s/?#@]*\/[^\s/?#]+(\?\S*)?$/, storeForm)
        .refine(address => URL.canParse(address), storeForm)
        .optional()
        .meta({
          description: 'A PostgreSQL address for runs, without a password; SQLite in the state folder by default.',
          examples: ['postgresql://mlflow@db.example.com:5432/mlflow'],
        }),
      artifacts: place.optional().meta({
        description: 'Where models and files go: a folder or an s3:// address; the state folder by default.',
        examples: ['s3://my-bucket/mlflow'],
      }),
      port: port.meta({description: 'A fixed port; a free one is chosen by default.', examples: [5000]}),
    })
    .prefault({})
    .meta({description: 'The MLflow server.'}),
  ray: z
    .strictObject({
      port: port.meta({description: "A fixed port for Ray's dashboard and Jobs API.", examples: [8265]}),
      cpus: z
        .int()
        .min(1)
        .optional()
        .meta({description: 'CPUs that Ray may use; all by default.', examples: [4]}),
      gpus: z
        .int()
        .min(0)
        .optional()
        .meta({description: 'GPUs that Ray may use; all by default.', examples: [1]}),
    })
    .prefault({})
    .meta({description: 'The Ray head.'}),
  storage: storage.optional().meta({
    description:
      'Where checkpoints go: a folder, an s3:// address or, on a cluster, claim://NAME; the state folder by default.',
    examples: ['s3://my-bucket/checkpoints'],
  }),
  ...clusterSettings,
})

const profileName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'it takes letters, digits, ".", "_" and "-", and begins with a letter or digit',
  )

/** The whole of `mlv.yaml`. */
export const projectSchema = z.strictObject({
  default: text.optional().meta({description: 'The profile that is used when none is named.', examples: ['local']}),
  profiles: z
    .record(profileName, profileSchema)
    .default({})
    .meta({description: 'Named sets of settings; a command acts on one. `local` exists without being named here.'}),
})

/** Your own file, `config.yaml` in mlv's configuration folder: what you want in every project. */
export const userSchema = profileSchema.omit({target: true})

export type ProfileSettings = z.output<typeof profileSchema>

/** A profile with every setting resolved: flag > environment > mlv.yaml > user file > default. */
export interface ResolvedProfile {
  readonly name: string
  readonly settings: ProfileSettings
  /** The file it was read from; absent for the built-in profile `local`. */
  readonly file?: string
  /** Where the name and each setting (`python.torch`) come from. */
  readonly origins?: {readonly name: Origin; readonly settings: Readonly<Record<string, Origin>>}
}
