import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {isAbsolute, join} from 'node:path'

import type {Context} from '../context.js'
import type {Packages} from '../types/target.js'

/** What mlv itself pins: everything but PyTorch with hashes, and PyTorch by version. */
export async function lockedPackages({packageDir}: Pick<Context, 'packageDir'>): Promise<Packages> {
  const [lock = '', torch = ''] = await Promise.all(
    ['requirements.lock', 'torch-versions.json'].map(name => readFile(join(packageDir, 'python', name), 'utf8')),
  )
  return {lock, torch}
}

/** The file with what the profile adds; undefined where it adds nothing. */
export function requirementsPath({profile, projectDir}: Pick<Context, 'profile' | 'projectDir'>): string | undefined {
  const path = profile.settings.python.requirements
  if (path === undefined) return undefined
  return isAbsolute(path) ? path : join(projectDir, path)
}

/** Tells texts from others: 16 hexadecimal digits. */
export function digestOf(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}
