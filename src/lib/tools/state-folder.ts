import {mkdir, readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {describeFileError} from '../errors.js'
import {writeFileAtomic} from './atomic-file.js'

/** Makes a profile's state folder: 0700, and kept out of git by a `.gitignore` of its own. */
export async function ensureStateFolder(stateDir: string): Promise<void> {
  const parent = dirname(stateDir)
  try {
    await mkdir(stateDir, {recursive: true, mode: 0o700})
    const ignore = join(parent, '.gitignore')
    // A full disk leaves an empty one, which would keep no secret out of git.
    if ((await readFile(ignore, 'utf8').catch(() => '')) === '') await writeFileAtomic(ignore, '*\n')
  } catch (error) {
    throw describeFileError(error, stateDir)
  }
}
