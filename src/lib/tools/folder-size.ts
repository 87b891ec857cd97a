import {lstat, readdir} from 'node:fs/promises'
import {join} from 'node:path'

/** The bytes of all files below a folder; what vanishes while it is counted counts as nothing. Links are not followed. */
export async function folderSize(path: string): Promise<number> {
  const entries = await readdir(path, {withFileTypes: true}).catch(() => [])
  const sizes = await Promise.all(
    entries.map(async entry => {
      const inner = join(path, entry.name)
      if (entry.isDirectory()) return folderSize(inner)
      return lstat(inner).then(
        ({size}) => size,
        () => 0,
      )
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
