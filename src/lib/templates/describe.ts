import type {Symbols} from '../ui/symbols.js'
import {formatTable} from '../ui/table.js'
import type {Template, TemplateEntry} from './load-template.js'
import {describeParameter} from './template-schema.js'

const WIDTH = 80

/** `mlv templates list` for people. */
export function formatTemplates(entries: readonly TemplateEntry[], {ellipsis}: Pick<Symbols, 'ellipsis'>): string {
  const rows = entries.map(({name, source, template, problem}) => [
    name,
    source === 'project' ? 'own' : 'built-in',
    template?.summary ?? 'cannot be used',
    problem,
  ])
  const broken = rows.flatMap(([name, , , problem]) => (problem ? ['', `${name}: ${problem}`] : []))
  const columns = [{title: 'NAME'}, {title: 'SOURCE'}, {title: 'WHAT IT DOES', shrinkTo: 30}]
  return [
    formatTable(
      columns,
      rows.map(row => row.slice(0, 3).map(String)),
      {ellipsis},
    ),
    ...broken,
  ].join('\n')
}

/** `mlv templates show` for people: what it is, and each parameter with what it takes. */
export function formatTemplate(template: Template): string {
  const {cpus, gpus} = template.resources
  const lines = [`${template.name}: ${template.summary}`, '']
  const description = paragraphs(template.description)
  if (description.length > 0) lines.push(...description.flatMap(line => wrap(line, WIDTH)), '')
  lines.push(`Runs with ${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'} and ${gpus} ${gpus === 1 ? 'GPU' : 'GPUs'}.`)
  lines.push(`From ${template.folder}`)
  if (template.shadows) lines.push(`In front of the built-in ${template.shadows}`)
  const parameters = Object.entries(template.parameters)
  lines.push('', parameters.length > 0 ? 'Parameters (--set NAME=VALUE):' : 'It has no parameters.')
  const indent = Math.max(0, ...parameters.map(([name]) => name.length)) + 4
  for (const [name, parameter] of parameters) {
    const value = parameter.default === undefined ? 'not set' : JSON.stringify(parameter.default)
    const texts = [`${describeParameter(parameter)} (default: ${value})`, parameter.description]
    const body = texts.flatMap(text => wrap(text, WIDTH - indent))
    lines.push(...body.map((text, index) => `${(index === 0 ? `  ${name}` : '').padEnd(indent)}${text}`))
  }
  return lines.join('\n')
}

/** The source's own line breaks go; an empty line, and one that is indented or begins a list, stays a line. */
function paragraphs(text: string): string[] {
  const joined = text.trim().replaceAll(/([^\n])\n(?![\s*-])/g, '$1 ')
  return joined === '' ? [] : joined.split('\n')
}

/** Breaks a line at spaces; a word that is longer than the line stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line ? `${line} ${word}` : word
  }
  return [...lines, line]
}
