import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {describeFileError} from '../errors.js'

/** Makes a profile's state folder: 0700, and kept out of git by a `.gitignore` of its own. */
export async function ensureStateFolder(stateDir: string): Promise<void> {
  const parent = dirname(stateDir)
  try {
    await mkdir(stateDir, {recursive: true, mode: 0o700})
    await writeFile(join(parent, '.gitignore'), '*\n', {flag: 'wx', mode: 0o600})
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw describeFileError(error, stateDir)
  }
}
