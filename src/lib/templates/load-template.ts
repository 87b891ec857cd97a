import {readdir, realpath, stat} from 'node:fs/promises'
import {basename, join, relative} from 'node:path'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {didYouMean, nearest} from '../nearest.js'
import {describeIssues} from '../profile/describe-issue.js'
import {readYamlFile} from '../profile/yaml-file.js'
import {type TemplateFile, templateFileSchema} from './template-schema.js'

/** What is needed to find templates. */
export type TemplateContext = Pick<Context, 'command' | 'cwd' | 'packageDir' | 'projectDir' | 'reporter'>

export interface Template extends TemplateFile {
  /** Where template.yaml stands. */
  readonly folder: string
  readonly source: 'project' | 'built-in'
  /** Files that are uploaded along, where the template has some. */
  readonly filesDir?: string
  /** The folder of the built-in template that this one of the project stands in front of. */
  readonly shadows?: string
}

export interface TemplateEntry {
  readonly name: string
  readonly source: 'project' | 'built-in'
  readonly folder: string
  readonly shadows?: string
  readonly template?: Template
  /** Why it cannot be used. */
  readonly problem?: string
}

/** Every template: the project's own first, each name once. A broken one is listed with what is wrong with it. */
export async function listTemplates(context: TemplateContext): Promise<TemplateEntry[]> {
  const places = await findTemplates(context)
  return Promise.all(
    places.map(async place => {
      try {
        return {...place, template: await readTemplate(place, context)}
      } catch (error) {
        if (!(error instanceof MlvError)) throw error
        return {...place, problem: error.message}
      }
    }),
  )
}

/**
 * One template by its name; says so when the project's own stands in front of a built-in one. `again` makes the line that
 * was typed with the name that was meant.
 */
export async function loadTemplate(
  context: TemplateContext,
  name: string,
  again?: (meant: string) => string,
): Promise<Template> {
  const places = await findTemplates(context)
  const place = places.find(candidate => candidate.name === name)
  if (!place) {
    const names = places.map(candidate => candidate.name)
    const hint = didYouMean(name, names)
    const meant = nearest(name, names)
    throw new MlvError('MLV_TEMPLATE_UNKNOWN', `There is no template ${JSON.stringify(name)}.${hint}`, {
      details: [`Templates: ${names.join(', ')}.`],
      tryThis: [...(meant && again ? [context.command(again(meant))] : []), context.command('templates list')],
    })
  }
  const template = await readTemplate(place, context)
  if (template.shadows) {
    const where = relative(context.cwd, place.folder) || '.'
    context.reporter.note(`Template ${name} is this project's own (${where}); it stands in front of the built-in one.`)
  }
  return template
}

type Place = Pick<TemplateEntry, 'name' | 'source' | 'folder' | 'shadows'>

async function findTemplates({cwd, packageDir, projectDir}: TemplateContext): Promise<Place[]> {
  const builtIn = await templatesIn(join(packageDir, 'templates'))
  const own = [...(await templatesIn(join(projectDir, 'templates'))), ...(await templatesIn(join(cwd, 'templates')))]
  const places = new Map<string, Place>()
  // In a checkout of mlv the project's templates are the built-in ones.
  const builtInFolders = new Set(builtIn)
  for (const folder of own.filter(candidate => !builtInFolders.has(candidate))) {
    const name = basename(folder)
    const shadows = builtIn.find(candidate => basename(candidate) === name)
    if (!places.has(name)) places.set(name, {name, source: 'project', folder, ...(shadows !== undefined && {shadows})})
  }
  for (const folder of builtIn) {
    const name = basename(folder)
    if (!places.has(name)) places.set(name, {name, source: 'built-in', folder})
  }
  return [...places.values()]
}

async function templatesIn(parent: string): Promise<string[]> {
  const entries = await readdir(parent, {withFileTypes: true}).catch(() => [])
  const folders = entries.map(entry => join(parent, entry.name)).sort()
  const found = await Promise.all(
    folders.map(async folder => ((await isFile(join(folder, 'template.yaml'))) ? folder : undefined)),
  )
  return Promise.all(found.filter(folder => folder !== undefined).map(folder => realpath(folder)))
}

async function readTemplate(place: Place, context: TemplateContext): Promise<Template> {
  const path = join(place.folder, 'template.yaml')
  const label = place.source === 'project' ? relative(context.cwd, path) : path
  const file = await readYamlFile(path, {label, code: 'MLV_TEMPLATE_INVALID'})
  const checked = templateFileSchema.safeParse(file.value)
  if (!checked.success) throw file.error('MLV_TEMPLATE_INVALID', describeIssues(templateFileSchema, file.value))
  if (checked.data.name !== place.name) {
    const sentence = `name is ${JSON.stringify(checked.data.name)}, but the folder is ${JSON.stringify(place.name)}.`
    throw file.error('MLV_TEMPLATE_INVALID', [{path: ['name'], sentence}])
  }
  const filesDir = await findFiles(place, checked.data.files, context)
  return {
    ...checked.data,
    folder: place.folder,
    source: place.source,
    ...(filesDir !== undefined && {filesDir}),
    ...(place.shadows !== undefined && {shadows: place.shadows}),
  }
}

/** A template's own files, else those of the template that it names. */
async function findFiles(place: Place, other: string | undefined, context: TemplateContext) {
  const isFolder = (path: string) =>
    stat(path).then(
      found => found.isDirectory(),
      () => false,
    )
  const own = join(place.folder, 'files')
  if (await isFolder(own)) return own
  const lender = other !== undefined && (await findTemplates(context)).find(({name}) => name === other)
  const lent = lender && join(lender.folder, 'files')
  return lent && (await isFolder(lent)) ? lent : undefined
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isFile(),
    () => false,
  )
}
