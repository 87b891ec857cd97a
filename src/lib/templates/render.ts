import type {JobSpec} from '../types/job.js'
import type {Template} from './load-template.js'
import type {ParameterValues} from './parameters.js'
import {fillPlaceholders} from './template-schema.js'

/** What a template and its values come to. */
export interface Rendered {
  readonly work: JobSpec['work']
  readonly resources: JobSpec['resources']
  /** A folder whose files are uploaded along. */
  readonly filesDir?: string
}

/** Puts the values in their places. Nothing reads them on the way, so that every character arrives as it was given. */
export function render(template: Template, values: ParameterValues): Rendered {
  return {
    work: workOf(template, values),
    resources: template.resources,
    ...(template.filesDir !== undefined && {filesDir: template.filesDir}),
  }
}

function workOf({work}: Template, values: ParameterValues): JobSpec['work'] {
  if ('command' in work) {
    return {type: 'command', argv: work.command.map(element => fillPlaceholders(element, values))}
  }
  const config = structuredClone('mlvision' in work ? work.mlvision : work.lightning) as Group
  for (const [name, value] of Object.entries(values)) setAt(config, name.split('.'), value)
  const type = 'mlvision' in work ? 'mlvision' : 'lightning'
  return {type, config: config as Extract<JobSpec['work'], {type: 'mlvision'}>['config']}
}

interface Group {
  [key: string]: unknown
}

function setAt(group: Group, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path
  if (rest.length === 0) {
    group[first] = value
    return
  }
  if (!Object.hasOwn(group, first)) group[first] = {}
  setAt(group[first] as Group, rest, value)
}
