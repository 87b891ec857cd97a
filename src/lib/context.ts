import type {Environment} from './profile/env.js'
import type {ResolvedProfile} from './profile/profile.js'
import type {Exec} from './tools/exec.js'
import type {Kube} from './tools/kube-session.js'
import type {Reporter} from './ui/reporter.js'

/** mlv's own folders for this user, by the XDG rules or `MLV_{CACHE,CONFIG,DATA}_DIR`. */
export interface UserFolders {
  readonly cache: string
  readonly config: string
  readonly data: string
}

/** What every use-case is handed. Built in one place (cli/context-factory.ts); nothing is reached for globally. */
export interface Context {
  readonly profile: ResolvedProfile
  /** The folder with `mlv.yaml`, or the current one where there is none. */
  readonly projectDir: string
  /** `.mlv/<profile>` in the project's folder. */
  readonly stateDir: string
  /** Where the person stands. */
  readonly cwd: string
  /** Where mlv is installed: holds templates/, python/, schemas/. */
  readonly packageDir: string
  readonly version: string
  readonly folders: UserFolders
  readonly environment: Environment
  /** The person's login name, for tags and "mine". */
  readonly user: string
  readonly exec: Exec
  readonly reporter: Reporter
  /** Aborted by Ctrl-C or SIGTERM; its reason is the MlvError to end with. */
  readonly signal: AbortSignal
  readonly dryRun: boolean
  /** The cluster of the profile; opened when it is first asked for, closed with the command. */
  kube(): Promise<Kube>
  /** A command line of mlv that can be pasted where the person is: `npx mlv …` in a checkout. */
  command(line: string): string
}
