import {readFile} from 'node:fs/promises'

import type {Context} from '../context.js'
import {digestOf, lockedPackages, requirementsPath} from '../tools/packages.js'
import type {Packages} from '../types/target.js'

/** The pinned packages that jobs of this profile run with today; undefined where they cannot be read. */
export async function readPackages(context: Context): Promise<Packages | undefined> {
  const path = requirementsPath(context)
  try {
    const [locked, requirements] = await Promise.all([
      lockedPackages(context),
      path === undefined ? undefined : readFile(path, 'utf8'),
    ])
    return {...locked, ...(requirements !== undefined && {requirements})}
  } catch {
    return undefined
  }
}

/** Tells one set of packages from another. */
export function hashOf({lock, requirements, torch}: Packages): string {
  return digestOf([lock, torch, requirements ?? ''])
}
