import {z} from 'zod'

/** How a sweep searches: the part of a template and of a job spec that mlvision's search reads (search/settings.py). */

const scalar = z.union([z.boolean(), z.number(), z.string()])
const when = z
  .record(z.string(), z.union([scalar, z.array(scalar).min(1)]))
  .optional()
  .meta({description: 'It varies only where these other parameters have one of these values.'})
const points = z.int().min(2).optional().meta({description: 'How many values a grid takes; 5 by default.'})

export const dimensionSchema = z.discriminatedUnion('type', [
  z.strictObject({type: z.literal('uniform'), min: z.number(), max: z.number(), points, when}),
  z.strictObject({type: z.literal('loguniform'), min: z.number().positive(), max: z.number().positive(), points, when}),
  z.strictObject({type: z.literal('randint'), min: z.int(), max: z.int(), points, when}),
  z.strictObject({type: z.literal('choice'), values: z.array(scalar).min(1), when}),
])

export const algorithms = ['grid', 'random', 'tpe'] as const
export const schedulers = ['asha', 'hyperband', 'median', 'none'] as const
export const presets = ['quick', 'extensive'] as const

const count = z.int().min(1)

/** What can be said in a template and for a preset. */
const wishes = {
  trials: count.meta({description: 'How many trials; a grid is taken as a whole where this is left out.'}),
  algorithm: z.enum(algorithms).meta({description: 'How parameters are chosen; tpe is Bayesian, by Optuna.'}),
  scheduler: z.enum(schedulers).meta({description: 'Which trials are stopped early.'}),
  grace: count.meta({description: 'No trial is stopped before so many epochs.'}),
  reduction: z.int().min(2).meta({description: 'One of so many trials goes on at each rung.'}),
}

export const templateSearchSchema = z.strictObject({
  space: z
    .record(z.string(), dimensionSchema)
    .meta({description: 'What varies, by the name of a parameter: uniform, loguniform, randint or choice.'}),
  metric: z.string().min(1).default('val_accuracy').meta({description: 'What trials are judged by.'}),
  mode: z.enum(['max', 'min']).default('max').meta({description: 'Whether a higher or a lower value is better.'}),
  ...z.strictObject(wishes).partial().shape,
  keep: count.default(3).meta({description: 'The checkpoints of so many of the best trials stay.'}),
  retrain_epochs: count
    .optional()
    .meta({description: 'The full budget of --retrain-best; that of a trial by default.'}),
  train: z.string().optional().meta({description: 'The template that trains with the best parameters.'}),
  presets: z
    .partialRecord(z.enum(presets), z.strictObject({...wishes, epochs: count}).partial())
    .default({})
    .meta({description: 'What --preset changes.'}),
})

export type TemplateSearch = z.output<typeof templateSearchSchema>
export type Dimension = z.output<typeof dimensionSchema>

/** What the job is told. */
export const searchSchema = z.strictObject({
  space: z.record(z.string(), dimensionSchema),
  metric: z.string().min(1),
  mode: z.enum(['max', 'min']),
  trials: count.nullable().meta({description: 'Null: the whole grid, and 100 where there is none.'}),
  algorithm: z.enum(algorithms),
  scheduler: z.enum(schedulers),
  grace: count,
  reduction: z.int().min(2),
  concurrency: count.nullable().meta({description: 'Trials at a time; null: as many as there is room for.'}),
  max_time: z.number().positive().nullable().meta({description: 'Seconds, after which no trial goes on.'}),
  max_failures: count.nullable().meta({description: 'After so many failed trials the sweep ends; null: never.'}),
  keep: count,
  seed: z.int().min(0),
  best: z.enum(['report', 'save', 'retrain']).meta({description: 'What becomes of the best trial.'}),
  retrain_epochs: count.nullable(),
  restart_errored: z.boolean().meta({description: 'On resume, failed trials are tried again.'}),
  train: z.string().nullish().meta({description: 'The template that trains with the best parameters.'}),
  fixed: z
    .record(z.string(), scalar)
    .optional()
    .meta({description: "What somebody has set of the template's space, which therefore does not vary."}),
})

export type Search = z.output<typeof searchSchema>

const metric = z.number().nullable()
const tally = z.int().min(0)

/** What a sweep says as it goes. */
export const sweepEvents = [
  z.strictObject({
    event: z.literal('sweep'),
    trials: count,
    kept: tally.meta({description: 'Trials that an earlier session has ended.'}),
    metric: z.string(),
    mode: z.enum(['max', 'min']),
    algorithm: z.enum(algorithms),
    scheduler: z.enum(schedulers),
    epochs: count.meta({description: 'The longest that a trial may train.'}),
    rungs: z.array(count).meta({description: 'The epochs after which trials are compared.'}),
    concurrency: count,
    varied: z.array(z.string()),
    train: z.string().nullable().meta({description: 'The template that trains with the best parameters.'}),
    best: z.strictObject({trial: tally, value: metric}).nullable(),
  }),
  z.strictObject({
    event: z.literal('trial'),
    trial: tally,
    state: z.enum(['waiting', 'running', 'finished', 'stopped_early', 'failed', 'interrupted']),
    epoch: tally,
    epochs: count,
    value: metric.meta({description: 'The metric after the last epoch.'}),
    best: metric.meta({description: "The metric of the trial's best epoch."}),
    seconds: z.number().min(0),
    params: z.record(z.string(), scalar).nullable().meta({description: 'Null where they were said before.'}),
    reason: z.string().nullable(),
  }),
  z.strictObject({
    event: z.literal('measured'),
    epoch_seconds: z.number().positive(),
    places: count.meta({description: 'Trials that fit side by side.'}),
  }),
  z.strictObject({
    event: z.literal('sweep_end'),
    counts: z.strictObject({finished: tally, stopped_early: tally, failed: tally, interrupted: tally}),
    trials: count,
    epochs_run: tally,
    epochs_full: tally.meta({description: 'What it had been if no trial were stopped early.'}),
    seconds: z.number().min(0),
    best: z
      .strictObject({
        trial: tally,
        value: metric,
        params: z.record(z.string(), scalar),
        run_id: z.string().nullable(),
      })
      .nullable(),
    reason: z.string().nullable().meta({description: 'Why it ended before its last trial.'}),
  }),
] as const
