import {cp, readFile, stat, writeFile} from 'node:fs/promises'
import {join, relative, resolve} from 'node:path'

import {describeFileError, MlvError} from '../errors.js'
import {placeSchema} from '../profile/editor-schema.js'
import {loadTemplate, type TemplateContext} from './load-template.js'

export interface EjectResult {
  readonly name: string
  readonly folder: string
}

/** Copies a template to where it can be changed: `templates/NAME` of the project, or of another folder. */
export async function ejectTemplate(
  context: TemplateContext,
  name: string,
  to: string | undefined,
): Promise<EjectResult> {
  const template = await loadTemplate(context, name)
  const parent = to === undefined ? join(context.projectDir, 'templates') : resolve(context.cwd, to)
  const folder = join(parent, name)
  const shown = relative(context.cwd, folder) || folder
  if (await stat(folder).catch(() => undefined)) {
    throw new MlvError('MLV_TEMPLATE_EXISTS', `${shown} is there already; mlv does not write over it.`, {
      tryThis: [context.command(`templates show ${name}`), context.command(`templates eject ${name} --to elsewhere`)],
    })
  }
  try {
    await cp(template.folder, folder, {errorOnExist: true, force: false, recursive: true})
    await renewSchemaLine(context, folder)
  } catch (error) {
    throw describeFileError(error, folder)
  }
  const known = [context.projectDir, context.cwd].map(place => join(place, 'templates'))
  if (known.includes(parent)) context.reporter.note(`mlv now uses ${shown} in place of the template it was made from.`)
  else context.reporter.note(`mlv finds it when it stands in ${relative(context.cwd, known[0] ?? '') || known[0]}.`)
  return {name, folder}
}

/** The copy stands elsewhere, so its first line has to name the schema by another path. */
async function renewSchemaLine({packageDir, projectDir}: TemplateContext, folder: string): Promise<void> {
  const file = join(folder, 'template.yaml')
  const text = await readFile(file, 'utf8')
  const line = await placeSchema({name: 'template', packageDir, projectDir, folder})
  await writeFile(file, `${line}\n${text.replace(/^# yaml-language-server:.*\n/, '')}`)
}
