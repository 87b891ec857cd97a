import {z} from 'zod'

import {expectation, unwrap} from './describe-issue.js'
import {profileSchema} from './profile.js'

/** One value of a profile that can be set on its own. */
export interface Setting {
  /** As in mlv.yaml: `python.torch`. */
  readonly name: string
  readonly path: readonly string[]
  /** `MLV_` and the name in capitals, dots as underscores: `MLV_PYTHON_TORCH`. */
  readonly variable: string
  readonly description: string
  /** What it takes, for messages and docs: "a whole number of at least 1". */
  readonly takes: string
  readonly defaultValue: unknown
  readonly example: unknown
  readonly schema: z.ZodType
  /** The target that it is for; undefined where it is for each. */
  readonly target: string | undefined
}

/** Every setting that a profile has, in the order of the schema. */
export function listSettings(): Setting[] {
  return walk(profileSchema, [])
}

/** Those that say something on a target. */
export function settingsOf(target: unknown): Setting[] {
  return listSettings().filter(setting => setting.target === undefined || setting.target === target)
}

function walk(schema: z.ZodObject, above: readonly string[], target?: string): Setting[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const path = [...above, key]
    const type = unwrap(field as z.ZodType)
    if (type instanceof z.ZodObject) return walk(type, path, (field as z.ZodType).meta()?.target as string | undefined)
    const meta = (field as z.ZodType).meta() ?? type.meta()
    return [
      {
        name: path.join('.'),
        path,
        variable: variableOf(path),
        description: meta?.description ?? '',
        takes: expectation(type),
        defaultValue: (field as z.ZodType).safeParse(undefined).data,
        example: Array.isArray(meta?.examples) ? meta.examples[0] : undefined,
        schema: field as z.ZodType,
        target,
      },
    ]
  })
}

/** The environment variable of a setting. */
export function variableOf(path: readonly string[]): string {
  const words = path.map(key => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll(/[^A-Za-z0-9]/g, '_'))
  return `MLV_${words.join('_').toUpperCase()}`
}

/** Makes a value out of text by the type that the setting takes; text that does not fit stays text, for the schema to refuse. */
export function valueFromText(schema: z.ZodType, text: string): unknown {
  const type = unwrap(schema)
  if (type instanceof z.ZodNumber)
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text
  if (type instanceof z.ZodBoolean) return text === 'true' ? true : text === 'false' ? false : text
  return text
}
