import {z} from 'zod'

import {rangeText} from '../profile/describe-issue.js'
import {isolations, jobKinds} from '../types/job.js'
import {templateSearchSchema} from '../types/search.js'
import {searchContradictions} from './search-space.js'

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'lower-case letters, digits and "-", at most 40')
const sentence = z.string().min(1, 'a sentence')
const description = sentence.meta({description: 'What it does, in a sentence.'})

const integerSchema = z.strictObject({
  type: z.literal('integer'),
  default: z.int().optional(),
  minimum: z.int().optional(),
  maximum: z.int().optional(),
  description,
})

const numberSchema = z.strictObject({
  type: z.literal('number'),
  default: z.number().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  description,
})

const parameterSchema = z.discriminatedUnion('type', [
  integerSchema,
  numberSchema,
  z.strictObject({type: z.literal('string'), default: z.string().optional(), description}),
  z.strictObject({type: z.literal('boolean'), default: z.boolean().optional(), description}),
  z.strictObject({
    type: z.literal('choice'),
    choices: z.array(z.string().min(1)).min(1),
    default: z.string().optional(),
    description,
  }),
])

const parameterName = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/,
    'it takes lower-case words with dots between them, such as optimizer.lr',
  )

const workSchema = z.union(
  [
    z.strictObject({
      mlvision: z
        .record(z.string(), z.json())
        .meta({description: "The fixed part of mlvision's configuration; each parameter is a path into it."}),
    }),
    z.strictObject({
      lightning: z.record(z.string(), z.json()).meta({
        description:
          'module (file:Class of a LightningModule), datamodule, metric, mode; each parameter is a path beside them.',
      }),
    }),
    z.strictObject({
      command: z
        .array(z.string())
        .min(1)
        .meta({description: 'A program and its arguments; a name in $ and braces stands for a parameter. No shell.'}),
    }),
  ],
  'mlvision with a configuration, lightning with a module, or command with a list',
)

/** One `template.yaml`; the source of schemas/template.schema.json. */
export const templateFileSchema = z
  .strictObject({
    name: name.meta({description: 'The same as the folder.'}),
    summary: sentence.max(80).meta({description: 'One line for the list.'}),
    description: z.string().default('').meta({description: 'What somebody has to know who uses it.'}),
    kind: z.enum(jobKinds).meta({description: 'What is submitted, and by which command.'}),
    resources: z
      .strictObject({
        cpus: z.int().min(1).default(1).meta({description: 'CPUs that the work is given.'}),
        gpus: z.int().min(0).default(0).meta({description: 'GPUs that the work is given.'}),
      })
      .prefault({}),
    processes: z
      .string()
      .regex(/^[1-9]\d{0,3}x[1-9]\d{0,3}$/, 'NODESxPROCS, such as 1x4')
      .optional()
      .meta({
        description: 'How many nodes, and processes on each; of kind ddp alone. Resources are those of one process.',
      }),
    isolation: z.enum(isolations).optional().meta({
      description:
        'On a cluster: shared for the Ray of all jobs, cluster for one that is made for the job and goes with it; by default cluster for kind ddp and from two GPUs on.',
    }),
    parameters: z
      .record(parameterName, parameterSchema)
      .default({})
      .meta({description: 'What can be set, by dotted name.'}),
    files: name.optional().meta({description: 'A template whose folder files/ goes along, where this one has none.'}),
    work: workSchema.meta({description: "What runs: mlvision, a LightningModule of one's own, or a command."}),
    search: templateSearchSchema.optional().meta({description: 'How a sweep searches; of kind tune alone.'}),
  })
  .superRefine((template, context) => {
    for (const {path, message} of [...contradictions(template), ...searchContradictions(template)])
      context.addIssue({code: 'custom', path, message})
  })

export type TemplateFile = z.output<typeof templateFileSchema>
export type Parameter = z.output<typeof parameterSchema>
export type ParameterValue = string | number | boolean

export interface Contradiction {
  readonly path: string[]
  readonly message: string
}

type Unchecked = Pick<TemplateFile, 'parameters' | 'work'>

/** What each part alone allows but the parts together do not. */
function contradictions({parameters, work}: Unchecked): Contradiction[] {
  const names = Object.keys(parameters)
  const found = Object.entries(parameters).flatMap(([key, parameter]) => {
    const value = parameter.default
    if (value === undefined) {
      return 'command' in work
        ? [{path: ['parameters', key], message: 'a default, since a command needs every value'}]
        : []
    }
    const refusal = refuse(parameter, value)
    return refusal ? [{path: ['parameters', key, 'default'], message: refusal}] : []
  })
  for (const inner of names) {
    const outer = names.find(candidate => inner.startsWith(`${candidate}.`))
    if (outer) found.push({path: ['parameters', inner], message: `a name that is not inside the parameter ${outer}`})
  }
  if (!('command' in work)) {
    const [kind, config] = 'mlvision' in work ? ['mlvision', work.mlvision] : ['lightning', work.lightning]
    for (const key of names.filter(key => isFixed(config, key.split('.')))) {
      found.push({path: ['parameters', key], message: `a name that work.${kind} does not fix already`})
    }
    return found
  }
  for (const [index, element] of work.command.entries()) {
    for (const key of placeholders(element)) {
      if (!names.includes(key))
        found.push({path: ['work', 'command', String(index)], message: `parameters that exist; ${key} does not`})
    }
  }
  return found
}

/** What a parameter takes instead of this value, or nothing where it takes it. */
export function refuse(parameter: Parameter, value: unknown): string | undefined {
  return fits(parameter, value) ? undefined : describeParameter(parameter)
}

/** What a parameter takes: `a whole number from 1 to 100`. */
export function describeParameter(parameter: Parameter): string {
  switch (parameter.type) {
    case 'integer':
      return `a whole number${rangeText(parameter.minimum, parameter.maximum)}`
    case 'number':
      return `a number${rangeText(parameter.minimum, parameter.maximum)}`
    case 'boolean':
      return 'true or false'
    case 'choice':
      return `one of: ${parameter.choices.join(', ')}`
    case 'string':
      return 'text'
  }
}

function fits(parameter: Parameter, value: unknown): boolean {
  switch (parameter.type) {
    case 'integer':
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value)) return false
      if (parameter.type === 'integer' && !Number.isSafeInteger(value)) return false
      return value >= (parameter.minimum ?? -Infinity) && value <= (parameter.maximum ?? Infinity)
    }
    case 'choice':
      return typeof value === 'string' && parameter.choices.includes(value)
    default:
      return typeof value === parameter.type
  }
}

const PLACEHOLDER = /\$\$\{|\$\{([^}]*)\}/g

/** The names in the placeholders of one argument. */
export function placeholders(element: string): string[] {
  return [...element.matchAll(PLACEHOLDER)].flatMap(([, key]) => (key === undefined ? [] : [key]))
}

/** Puts values in place of `${name}`; `$${` stands for the characters `${` themselves. */
export function fillPlaceholders(element: string, values: Readonly<Record<string, ParameterValue>>): string {
  return element.replaceAll(PLACEHOLDER, (_, key?: string) => (key === undefined ? '${' : String(values[key])))
}

function isFixed(config: unknown, path: readonly string[]): boolean {
  const [first, ...rest] = path
  if (first === undefined) return true
  // A fixed value where the path wants to go deeper stands in its way just as well.
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return true
  return Object.hasOwn(config, first) && isFixed((config as Record<string, unknown>)[first], rest)
}
