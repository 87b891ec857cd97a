import type {Exec} from '../tools/exec.js'

/** Where the code of a job comes from. */
export interface GitState {
  readonly commit: string
  readonly branch: string
  readonly isDirty: boolean
  /** Uncommitted changes of tracked files; empty where there are none. */
  readonly patch: string
}

/** The state of the repository that a folder is in; undefined where it is in none, or git is missing. */
export async function readGit(exec: Exec, folder: string): Promise<GitState | undefined> {
  const git = (...args: string[]) =>
    exec.read(['git', '-C', folder, ...args], {reject: false}).then(
      result => (result.exitCode === 0 ? result.stdout : undefined),
      () => undefined,
    )
  const [commit, branch, status, patch] = await Promise.all([
    git('rev-parse', 'HEAD'),
    git('rev-parse', '--abbrev-ref', 'HEAD'),
    git('status', '--porcelain', '--untracked-files=normal', '--', '.'),
    git('diff', '--binary', 'HEAD', '--', '.'),
  ])
  if (commit === undefined) return undefined
  return {
    commit: commit.trim(),
    branch: branch?.trim() ?? '',
    isDirty: (status ?? '').trim() !== '',
    patch: patch ?? '',
  }
}
