import {resolve} from 'node:path'

import {MlvError} from '../errors.js'
import {didYouMean, nearest} from '../nearest.js'
import {show} from '../profile/describe-issue.js'
import {type Problem, readYamlFile, type YamlFile} from '../profile/yaml-file.js'
import type {Template, TemplateContext} from './load-template.js'
import {type Parameter, type ParameterValue, refuse} from './template-schema.js'

/** Flags of `mlv train` that stand for a parameter. */
export const shortcuts = {model: 'model.name', dataset: 'data.name', epochs: 'epochs'} as const

export interface ParameterSources {
  readonly template: Template
  /** A YAML or JSON file of parameters (`-f`), nested or with dotted names. */
  readonly file?: string | undefined
  /** `name=value` texts (`--set`); the last of a name counts. One text with several lines is several. */
  readonly set?: string | readonly string[] | undefined
  readonly model?: string | undefined
  readonly dataset?: string | undefined
  readonly epochs?: string | number | undefined
}

export type ParameterValues = Readonly<Record<string, ParameterValue>>

/** The values that a job is made from: `--set` over the flags over the file over the template's defaults. */
export async function parameterValues(
  context: Pick<TemplateContext, 'command' | 'cwd'>,
  sources: ParameterSources,
): Promise<ParameterValues> {
  const {template} = sources
  const values: Record<string, ParameterValue> = {}
  for (const [name, parameter] of Object.entries(template.parameters)) {
    if (parameter.default !== undefined) values[name] = parameter.default
  }
  if (sources.file !== undefined) Object.assign(values, await valuesOfFile(context.cwd, sources.file, template))
  for (const [flag, name] of Object.entries(shortcuts)) {
    const text = sources[flag as keyof typeof shortcuts]
    if (text !== undefined) values[name] = valueOfText({context, template, name, text: String(text), flag: `--${flag}`})
  }
  for (const entry of typeof sources.set === 'string' ? sources.set.split('\n') : (sources.set ?? [])) {
    const at = entry.indexOf('=')
    if (at < 1) {
      throw new MlvError('MLV_PARAMETER_FORM', `--set ${JSON.stringify(entry)} does not have the form NAME=VALUE.`, {
        tryThis: [context.command(`templates show ${template.name}`)],
      })
    }
    const name = entry.slice(0, at)
    values[name] = valueOfText({context, template, name, text: entry.slice(at + 1), flag: '--set'})
  }
  return values
}

interface TextValue {
  readonly context: Pick<TemplateContext, 'command'>
  readonly template: Template
  readonly name: string
  readonly text: string
  readonly flag: string
}

function valueOfText({context, template, name, text, flag}: TextValue): ParameterValue {
  const tryThis = [context.command(`templates show ${template.name}`)]
  if (!Object.hasOwn(template.parameters, name)) {
    const sentence = unknownParameter(template, name)
    throw new MlvError('MLV_PARAMETER_UNKNOWN', flag === '--set' ? sentence : `${flag}: ${sentence}`, {tryThis})
  }
  const parameter = template.parameters[name] as Parameter
  const value = parseText(parameter, text)
  const takes = refuse(parameter, value)
  if (takes === undefined) return value
  const where = flag === '--set' ? name : flag === `--${name}` ? flag : `${flag} (${name})`
  throw new MlvError(
    'MLV_PARAMETER_VALUE',
    `${where} is ${JSON.stringify(text)}; it takes ${takes}.${hint(parameter, text)}`,
    {
      tryThis,
    },
  )
}

/** Text becomes a value by the parameter's type; what does not fit stays text, which the type then refuses. */
function parseText(parameter: Parameter, text: string): ParameterValue {
  switch (parameter.type) {
    case 'integer':
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    default:
      return text
  }
}

async function valuesOfFile(cwd: string, path: string, template: Template): Promise<Record<string, ParameterValue>> {
  const file = await readYamlFile(resolve(cwd, path), {label: path, code: 'MLV_PARAMETER_FILE'})
  if (typeof file.value !== 'object' || file.value === null || Array.isArray(file.value)) {
    throw file.error('MLV_PARAMETER_FILE', [
      {path: [], sentence: 'The file holds no parameters; it takes names with values.'},
    ])
  }
  const values: Record<string, ParameterValue> = {}
  const unknown: Problem[] = []
  const wrong: Problem[] = []
  for (const {name, path, value} of flatten(file.value, template, [])) {
    if (!Object.hasOwn(template.parameters, name)) {
      unknown.push({path, isAboutKey: true, sentence: unknownParameter(template, name)})
      continue
    }
    // An empty value leaves the default.
    if (value === null) continue
    const parameter = template.parameters[name] as Parameter
    const takes = refuse(parameter, value)
    if (takes === undefined) values[name] = value as ParameterValue
    else wrong.push({path, sentence: `${name} is ${show(value)}; it takes ${takes}.${hint(parameter, value)}`})
  }
  raise(file, unknown, wrong)
  return values
}

function raise(file: YamlFile, unknown: readonly Problem[], wrong: readonly Problem[]): void {
  if (unknown.length + wrong.length === 0) return
  throw file.error(unknown.length > 0 ? 'MLV_PARAMETER_UNKNOWN' : 'MLV_PARAMETER_VALUE', [...unknown, ...wrong])
}

interface FileEntry {
  readonly name: string
  readonly path: readonly string[]
  readonly value: unknown
}

/** `model: {name: x}` and `model.name: x` are the same. */
function flatten(group: object, template: Template, above: readonly string[]): FileEntry[] {
  return Object.entries(group).flatMap(([key, value]) => {
    const path = [...above, key]
    const name = path.join('.')
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value)
    const leadsOn = Object.keys(template.parameters).some(candidate => candidate.startsWith(`${name}.`))
    return isGroup && leadsOn ? flatten(value, template, path) : [{name, path, value}]
  })
}

/** `model` of `model.name`. */
function groups(names: readonly string[]): string[] {
  return names.flatMap(name => (name.includes('.') ? [name.slice(0, name.lastIndexOf('.'))] : []))
}

function unknownParameter(template: Template, name: string): string {
  const names = Object.keys(template.parameters)
  // Somebody who writes `lr` means optimizer.lr.
  const inner = nearest(name, names) ? undefined : names.find(candidate => candidate.endsWith(`.${name}`))
  const meant = inner ? ` Did you mean "${inner}"?` : didYouMean(name, [...names, ...groups(names)])
  return `Template ${template.name} has no parameter ${JSON.stringify(name)}.${meant}`
}

function hint(parameter: Parameter, value: unknown): string {
  if (parameter.type === 'choice' && typeof value === 'string') return didYouMean(value, parameter.choices)
  if (parameter.type === 'string' && typeof value !== 'object') return ' Put it in quotes.'
  return ''
}
