import {copyFile, mkdir, readFile, writeFile} from 'node:fs/promises'
import {join, relative, sep} from 'node:path'

import {locateProject} from './locate.js'

export interface SchemaPlace {
  readonly name: 'mlv' | 'template'
  readonly packageDir: string
  readonly projectDir: string
  /** The folder of the file that the line is for. */
  readonly folder: string
}

/**
 * The comment by which editors find the schema of a YAML file. The path is relative, so that it works on a colleague's
 * machine: into the project's own copy of mlv where there is one, else to a copy in `.mlv`.
 */
export async function placeSchema({name, packageDir, projectDir, folder}: SchemaPlace): Promise<string> {
  const published = join(packageDir, 'schemas', `${name}.schema.json`)
  const root = (await locateProject(projectDir)).gitRoot ?? projectDir
  const path = relative(folder, published).split(sep).join('/')
  // The line ends at the first space, whatever is quoted.
  const isShared = packageDir === root || packageDir.startsWith(`${root}${sep}`)
  if (isShared && !/\s/.test(path)) return schemaLine(path)
  const own = join(projectDir, '.mlv')
  await mkdir(own, {recursive: true, mode: 0o700})
  const ignore = join(own, '.gitignore')
  if ((await readFile(ignore, 'utf8').catch(() => '')) === '') await writeFile(ignore, '*\n', {mode: 0o600})
  const copy = join(own, `${name}.schema.json`)
  await copyFile(published, copy)
  return schemaLine(relative(folder, copy).split(sep).join('/'))
}

function schemaLine(path: string): string {
  return `# yaml-language-server: $schema=${path.startsWith('.') ? path : `./${path}`}`
}
