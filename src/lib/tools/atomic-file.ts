import {randomBytes} from 'node:crypto'
import {copyFile, mkdir, open, rename, rm} from 'node:fs/promises'
import {dirname} from 'node:path'

import {describeFileError} from '../errors.js'

/**
 * Writes a file so that whoever reads it, or a crash at any moment, meets the old text or the new one, never half.
 * Made 0600 (in a 0700 folder) unless told otherwise.
 */
export async function writeFileAtomic(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, {force: true}).catch(() => undefined)
    throw describeFileError(error, path)
  }
}

/** Keeps a damaged file beside its place, for whoever wants to look; gives its new name, or nothing where there was none. */
export async function keepAside(path: string): Promise<string | undefined> {
  const aside = `${path}.corrupt-${new Date().toISOString().replaceAll(':', '-')}`
  try {
    await copyFile(path, aside)
    return aside
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw describeFileError(error, path)
  }
}
