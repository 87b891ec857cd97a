import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {isAbsolute, join} from 'node:path'

import type {Context} from '../context.js'
import type {Packages} from '../types/target.js'

/** The pinned packages that jobs of this profile run with today; undefined where mlv's own lock cannot be read. */
export async function readPackages({packageDir, profile, projectDir}: Context): Promise<Packages | undefined> {
  const {requirements: path} = profile.settings.python
  const inProject = (name: string) => (isAbsolute(name) ? name : join(projectDir, name))
  try {
    const [lock, torch, requirements] = await Promise.all([
      readFile(join(packageDir, 'python', 'requirements.lock'), 'utf8'),
      readFile(join(packageDir, 'python', 'torch-versions.json'), 'utf8'),
      path === undefined ? undefined : readFile(inProject(path), 'utf8'),
    ])
    return {lock, torch, ...(requirements !== undefined && {requirements})}
  } catch {
    return undefined
  }
}

/** Tells one set of packages from another. */
export function hashOf({lock, requirements, torch}: Packages): string {
  const hash = createHash('sha256')
  for (const part of [lock, torch, requirements ?? '']) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}
