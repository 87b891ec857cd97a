import {z} from 'zod'

import {didYouMean} from '../nearest.js'
import {hidePasswords} from './source-frame.js'
import type {KeyPath, Problem} from './yaml-file.js'

export interface Described extends Problem {
  readonly kind: 'key' | 'value'
}

/** Says in people's words what a schema has against a value; one problem for each thing that is wrong. */
export function describeIssues(schema: z.ZodType, value: unknown): Described[] {
  const checked = schema.safeParse(value)
  return checked.success ? [] : checked.error.issues.flatMap(issue => describeIssue(schema, value, issue))
}

function describeIssue(schema: z.ZodType, value: unknown, issue: z.core.$ZodIssue): Described[] {
  const path = issue.path
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schemaAt(schema, path, value))
    const where = path.length > 0 ? ` in ${dotted(path)}` : ''
    return issue.keys.map(key => ({
      kind: 'key',
      isAboutKey: true,
      path: [...path, key],
      sentence: `Unknown key ${JSON.stringify(key)}${where}.${didYouMean(key, known) || ` Known here: ${known.join(', ')}.`}`,
    }))
  }
  if (issue.code === 'invalid_key') {
    const why = issue.issues[0]?.message ?? 'it does not have the form of a name'
    return [
      {kind: 'value', isAboutKey: true, path, sentence: `${JSON.stringify(String(path.at(-1)))} is no name: ${why}.`},
    ]
  }
  const found = valueAt(value, path)
  const takes = (issue.code !== 'custom' && expectation(schemaAt(schema, path, value))) || issue.message
  const name = dotted(path) || 'The whole file'
  if (found === undefined) return [{kind: 'value', path, sentence: `${name} is missing; it takes ${takes}.`}]
  const choices = issue.code === 'invalid_value' ? issue.values.map(String) : []
  const hint = typeof found === 'string' ? didYouMean(found, choices) : ''
  return [{kind: 'value', path, sentence: `${name} is ${show(found)}; it takes ${takes}.${hint}`}]
}

/** What a schema takes, as the end of "it takes …". */
export function expectation(schema: z.ZodType | undefined): string {
  const type = schema && unwrap(schema)
  if (type instanceof z.ZodNumber) {
    const noun = type.format?.includes('int') ? 'a whole number' : 'a number'
    return `${noun}${rangeText(bound(type.minValue), bound(type.maxValue))}`
  }
  if (type instanceof z.ZodEnum) return `one of: ${type.options.join(', ')}`
  if (type instanceof z.ZodLiteral) return [...type.values].map(value => JSON.stringify(value)).join(' or ')
  if (type instanceof z.ZodBoolean) return 'true or false'
  if (type instanceof z.ZodString) {
    // A pattern's own words say more than "text".
    const format = type.def.checks?.map(check => check._zod.def.error?.({} as never)).find(Boolean)
    return typeof format === 'string' ? format : 'text'
  }
  if (type instanceof z.ZodArray) return 'a list'
  if (type instanceof z.ZodObject || type instanceof z.ZodRecord) return 'keys with values'
  return ''
}

/** ` from 1 to 9`, ` of at least 1`, ` of at most 9` or nothing. */
export function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` of at least ${minimum}`
  return maximum === undefined ? '' : ` of at most ${maximum}`
}

/** Takes away what only says that a value may be left out. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodNullable
  ) {
    inner = inner.unwrap() as z.ZodType
  }
  return inner
}

/** A value as a message shows it: short, and without passwords. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a group of keys'
  if (value === null) return 'empty'
  const text = typeof value === 'string' ? JSON.stringify(hidePasswords(value)) : String(value)
  return text.length > 60 ? `${text.slice(0, 56)}..."` : text
}

function schemaAt(schema: z.ZodType, path: KeyPath, value: unknown): z.ZodType | undefined {
  let current: z.ZodType | undefined = unwrap(schema)
  let inside = value
  for (const key of path) {
    const found: z.ZodType | undefined = childOf(choose(current, inside), key)
    if (!found) return undefined
    current = unwrap(found)
    inside = valueAt(inside, [key])
  }
  return choose(current, inside)
}

/** Of a union whose members carry a literal, the member that the value names. */
function choose(schema: z.ZodType | undefined, value: unknown): z.ZodType | undefined {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema
  const key = schema.def.discriminator
  const named = valueAt(value, [key])
  return (schema.options as z.ZodObject[]).find(option => option.shape[key]?.safeParse(named).success) ?? schema
}

function childOf(schema: z.ZodType | undefined, key: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return Object.hasOwn(schema.shape, key) ? schema.shape[String(key)] : undefined
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType
  return undefined
}

function keysOf(schema: z.ZodType | undefined): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function valueAt(value: unknown, path: KeyPath): unknown {
  let current = value
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined
    current = (current as Record<PropertyKey, unknown>)[key]
  }
  return current
}

function dotted(path: KeyPath): string {
  return path.map(String).join('.')
}

// zod bounds whole numbers by what a double can count; that is no limit that somebody set.
function bound(value: number | null): number | undefined {
  return value === null || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value
}
