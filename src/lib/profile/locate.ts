import {stat} from 'node:fs/promises'
import {dirname, join} from 'node:path'

export const PROJECT_FILE = 'mlv.yaml'

export interface Located {
  /** The folder that settings and state belong to. */
  readonly projectDir: string
  readonly file: string | undefined
  /** The top of the git checkout that the person stands in. */
  readonly gitRoot: string | undefined
  /** A file of nearly the right name, which is not read. */
  readonly misnamed: string | undefined
}

/** The nearest mlv.yaml upward to the git root, or to the root of the file system where there is no git. */
export async function locateProject(cwd: string): Promise<Located> {
  let file: string | undefined
  let misnamed: string | undefined
  for (let folder = cwd; ; folder = dirname(folder)) {
    if (!file && (await exists(join(folder, PROJECT_FILE)))) file = join(folder, PROJECT_FILE)
    if (!file && !misnamed && (await exists(join(folder, 'mlv.yml')))) misnamed = join(folder, 'mlv.yml')
    const isGitRoot = await exists(join(folder, '.git'))
    if (isGitRoot || dirname(folder) === folder) {
      return {
        projectDir: file ? dirname(file) : cwd,
        file,
        gitRoot: isGitRoot ? folder : undefined,
        misnamed: file ? undefined : misnamed,
      }
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
