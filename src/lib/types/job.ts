import {z} from 'zod'

import {searchSchema, sweepEvents} from './search.js'

/**
 * The two things that mlv and its Python package say to each other: the job spec (in the job's environment variable
 * MLV_JOB_SPEC) and events (lines of the job's output that begin with EVENT_PREFIX). Both are strict on both sides;
 * schemas/job.schema.json and schemas/event.schema.json are generated from here.
 */

/** What a line of a job's output begins with when it is an event; every other line is the person's own output. */
export const EVENT_PREFIX = '@mlv '

/** Names become folders, Ray submission ids and MLflow run names: nothing that any of the three would change. */
export const JOB_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** What is submitted: one training run, a sweep of trials, one training on several processes. */
export const jobKinds = ['train', 'tune', 'ddp'] as const
export type JobKind = (typeof jobKinds)[number]

/** Whose Ray a job runs on, where a platform can make more than one. */
export const isolations = ['shared', 'cluster'] as const
export type Isolation = (typeof isolations)[number]

const text = z.string().min(1)
const count = z.int().min(0)

const trainingSchema = z.strictObject({
  type: z.literal('mlvision'),
  config: z.record(z.string(), z.json()).meta({description: "mlvision's TrainConfig."}),
})

const lightningSchema = z.strictObject({
  type: z.literal('lightning'),
  config: z
    .record(z.string(), z.json())
    .meta({description: "mlvision's LightningConfig: a LightningModule of one's own."}),
})

const workSchema = z.discriminatedUnion('type', [
  trainingSchema,
  lightningSchema,
  z.strictObject({
    type: z.literal('ddp'),
    training: trainingSchema,
    nodes: z.int().min(1),
    processes: z.int().min(1).meta({description: 'Processes on each node; resources are those of one.'}),
    elastic: z.boolean().meta({description: 'Whether those that are left go on when one is lost.'}),
    preflight: z.boolean().meta({description: 'Whether each computes and is reached is tried first.'}),
    scaling: z
      .array(z.int().min(1))
      .min(1)
      .nullable()
      .meta({description: 'The numbers of processes at which the same training is measured in turn.'}),
    hourly_price: z.number().min(0).nullable().meta({description: 'Of one process, for what an epoch costs.'}),
  }),
  z.strictObject({
    type: z.literal('tune'),
    trial: z
      .discriminatedUnion('type', [trainingSchema, lightningSchema])
      .meta({description: 'What each trial trains, but for what varies.'}),
    search: searchSchema,
  }),
  z.strictObject({
    type: z.literal('command'),
    argv: z.array(z.string()).min(1).meta({description: "The person's own program and its arguments; no shell."}),
  }),
])

/** One submission, complete but for secrets. */
export const jobSpecSchema = z.strictObject({
  schema: z.literal('mlv.job/1'),
  job: z.strictObject({
    name: z
      .string()
      .regex(JOB_NAME_PATTERN, 'letters, digits, ".", "_" and "-", at most 100, the first a letter or digit'),
    submission_id: text.max(200).meta({description: "The idempotency key where there is one, else the job's name."}),
    kind: z.enum(jobKinds),
    user: text.meta({description: 'Who submitted.'}),
    template: text.nullable().meta({description: "Null for a person's own command."}),
  }),
  resources: z.strictObject({cpus: z.number().positive(), gpus: z.number().min(0)}),
  retries: z.int().min(0).max(100).meta({description: 'How often a worker that died is started again.'}),
  tracking: z.strictObject({
    uri: z.url().meta({description: "MLflow's address as the job sees it."}),
    experiment_id: text,
    experiment_name: text,
    run_id: text,
  }),
  credentials_file: text.meta({description: 'A 0600 file with {"username", "password"}, as the job sees it.'}),
  storage: text.meta({description: "The job's own folder of checkpoints, or an s3:// address."}),
  work: workSchema,
  register: z
    .strictObject({model: text, alias: text})
    .nullable()
    .meta({description: 'Where a good end registers the model.'}),
  python: text.nullable().meta({description: "The interpreter of the work; null for the platform's own."}),
})

export type JobSpec = z.output<typeof jobSpecSchema>

// JSON has no NaN or infinity: a value that left the numbers, as a diverged loss does, is null.
const metric = z.number().nullable()
const metrics = z.record(z.string(), metric)

const registeredModelSchema = z.strictObject({
  uri: text,
  name: text.nullable(),
  version: text.nullable(),
  alias: text.nullable(),
})

const scalingSizeSchema = z.strictObject({
  processes: z.int().min(1),
  images_per_second: z.number().min(0),
  epoch_seconds: z.number().min(0),
  speed_up: z.number().min(0),
  efficiency: z.number().min(0),
  cost: z.number().min(0).nullable().meta({description: 'Of an epoch; null without an hourly price.'}),
})

/** One line of progress. */
export const jobEventSchema = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('state'),
    state: z.enum(['provisioning', 'running', 'recovering']),
    message: z.string(),
  }),
  z.strictObject({
    event: z.literal('start'),
    time: z.iso.datetime({offset: true}),
    model: text,
    parameters: count.meta({description: 'How many numbers the model learns.'}),
    device: text,
    dataset: text,
    images: z
      .strictObject({train: count, val: count, test: count})
      .nullable()
      .meta({description: "Null where the data is loaded by the person's own code."}),
    epochs: z.int().min(1),
  }),
  z.strictObject({event: z.literal('resumed'), epoch: count, checkpoint: text}),
  z.strictObject({
    event: z.literal('progress'),
    epoch: z.int().min(1),
    step: count,
    steps: z.int().min(1),
    images_per_second: z.number().min(0),
  }),
  z.strictObject({
    event: z.literal('epoch'),
    epoch: z.int().min(1),
    epochs: z.int().min(1),
    seconds: z.number().min(0),
    images_per_second: z.number().min(0),
    metrics,
    best: z.strictObject({epoch: z.int().min(1), value: metric}).nullable(),
  }),
  z.strictObject({event: z.literal('checkpoint'), epoch: count, path: text, bytes: count}),
  z.strictObject({
    event: z.literal('result'),
    metrics,
    epochs_run: count,
    stopped_early: z.boolean(),
    model: registeredModelSchema.nullable(),
  }),
  z.strictObject({
    event: z.literal('failed'),
    error: text,
    where: z.string().nullable().meta({description: 'file:line, where it is known.'}),
  }),
  z.strictObject({
    event: z.literal('stopped'),
    reason: text,
    epoch: count.nullable().meta({description: "Null for a person's own command."}),
  }),
  z.strictObject({
    event: z.literal('scaling'),
    batch_size: z.int().min(1).meta({description: 'Of all processes together.'}),
    sizes: z.array(scalingSizeSchema),
  }),
  ...sweepEvents,
])

export type JobEvent = z.output<typeof jobEventSchema>
