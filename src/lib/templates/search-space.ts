import type {Dimension, TemplateSearch} from '../types/search.js'
import {type Contradiction, type Parameter, type ParameterValue, refuse, type TemplateFile} from './template-schema.js'

/** What of a search each part alone allows but the parts together do not. */
export function searchContradictions(
  template: Pick<TemplateFile, 'kind' | 'parameters' | 'work'> & {search?: TemplateSearch | undefined},
): Contradiction[] {
  const {kind, parameters, search, work} = template
  if (kind !== 'tune') return search ? [{path: ['search'], message: 'nothing, where kind is not tune'}] : []
  if (!search) return [{path: ['search'], message: 'a space of parameters, where kind is tune'}]
  if ('command' in work) return [{path: ['work'], message: 'mlvision or lightning, where kind is tune'}]
  const found: Contradiction[] = []
  if (Object.keys(search.space).length === 0) found.push({path: ['search', 'space'], message: 'at least one parameter'})
  for (const [name, dimension] of Object.entries(search.space)) {
    const parameter = parameters[name]
    if (parameter) found.push(...misfits(name, dimension, parameter, search.space))
    else {
      const message = `the name of a parameter; there are ${Object.keys(parameters).join(', ')}`
      found.push({path: ['search', 'space', name], message})
    }
  }
  return found
}

function misfits(name: string, dimension: Dimension, parameter: Parameter, space: TemplateSearch['space']) {
  const path = ['search', 'space', name]
  const found: Contradiction[] = []
  if ('min' in dimension && dimension.min > dimension.max) {
    found.push({path: [...path, 'min'], message: `at most its max, ${dimension.max}`})
  }
  for (const [key, value] of endsOf(dimension)) {
    const takes = refuse(parameter, value)
    if (takes) found.push({path: [...path, ...key], message: takes})
  }
  for (const other of Object.keys(dimension.when ?? {})) {
    if (!(other in space)) found.push({path: [...path, 'when', other], message: 'a parameter that varies too'})
  }
  return found
}

function endsOf(dimension: Dimension): [string[], ParameterValue][] {
  if (dimension.type === 'choice') return dimension.values.map((value, index) => [['values', String(index)], value])
  return [
    [['min'], dimension.min],
    [['max'], dimension.max],
  ]
}

/**
 * The space without the parameters that somebody has set to one value: what depends on such a parameter varies always
 * or never.
 */
export function withoutFixed(
  space: TemplateSearch['space'],
  fixed: Readonly<Record<string, ParameterValue>>,
): TemplateSearch['space'] {
  let left = Object.entries(space).filter(([name]) => !(name in fixed))
  for (let before = -1; before !== left.length; ) {
    before = left.length
    const gone = Object.keys(space).filter(name => !(name in fixed) && !left.some(([kept]) => kept === name))
    left = left.filter(([, {when = {}}]) =>
      Object.entries(when).every(([other, wanted]) => {
        if (gone.includes(other)) return false
        return !(other in fixed) || [wanted].flat().includes(fixed[other] as ParameterValue)
      }),
    )
  }
  return Object.fromEntries(
    left.map(([name, {when, ...dimension}]) => {
      const open = Object.entries(when ?? {}).filter(([other]) => !(other in fixed))
      return [name, open.length > 0 ? {...dimension, when: Object.fromEntries(open)} : dimension]
    }),
  )
}
