import {userInfo} from 'node:os'
import {join} from 'node:path'
import type {Config} from '@oclif/core/config'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {type Environment, readEnvironment} from '../profile/env.js'
import {type LoadedProfile, loadProfile} from '../profile/load.js'
import {profileSchema} from '../profile/profile.js'
import {createExec} from '../tools/exec.js'
import type {Kube} from '../tools/kube-session.js'
import {createJsonReporter, createPlainReporter, createQuietReporter} from '../ui/plain-reporter.js'
import type {Reporter} from '../ui/reporter.js'
import {symbolsFor} from '../ui/symbols.js'
import {commandPrefix} from './command-prefix.js'

export interface ContextOptions {
  readonly config: Config
  readonly profile: string | undefined
  /** Settings given on the command line, as `python.torch=cpu`. */
  readonly settings?: readonly string[] | undefined
  readonly json: boolean
  readonly quiet: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal
  /** Takes what has to be closed when the command ends. */
  readonly onOpen?: (close: () => Promise<void>) => void
}

/** The composition root: the only place that constructs tools and reporters. */
export async function createContext(options: ContextOptions, standIn?: LoadedProfile): Promise<Context> {
  const processEnvironment = readEnvironment()
  const cwd = process.cwd()
  const packageDir = options.config.root
  const command = commandPrefix(packageDir)
  const configDir = processEnvironment.MLV_CONFIG_DIR ?? options.config.configDir
  const loaded =
    standIn ??
    (await loadProfile({
      cwd,
      environment: processEnvironment,
      name: options.profile,
      configDir,
      flags: options.settings,
      command,
    }))
  const {profile, projectDir, environment} = loaded
  const reporter = await chooseReporter(options, environment)
  for (const warning of loaded.warnings) reporter.warn(warning)
  const context = {
    profile,
    projectDir,
    stateDir: join(projectDir, '.mlv', profile.name),
    cwd,
    packageDir,
    version: options.config.version,
    folders: {
      cache: environment.MLV_CACHE_DIR ?? options.config.cacheDir,
      config: configDir,
      data: environment.MLV_DATA_DIR ?? options.config.dataDir,
    },
    environment,
    user: environment.MLV_USER ?? userName(),
    exec: createExec({
      dryRun: options.dryRun,
      environment,
      print: line => reporter.note(line),
      signal: options.signal,
    }),
    reporter,
    signal: options.signal,
    dryRun: options.dryRun,
    command,
  }
  let kube: Promise<Kube> | undefined
  return {
    ...context,
    kube() {
      kube ??= openKube(context, options)
      return kube
    },
  }
}

async function openKube(context: Omit<Context, 'kube'>, {onOpen}: ContextOptions): Promise<Kube> {
  // Loaded late: what runs on this machine has no use for it.
  const {openCluster} = await import('../targets/kubernetes/open-cluster.js')
  const kube = await openCluster(context)
  onOpen?.(kube.close)
  return kube
}

export interface LenientContext {
  readonly context: Context
  /** Why the built-in profile stands in for the one that was asked for. */
  readonly problem?: MlvError
}

/** For commands that have to help where mlv.yaml is what is broken. */
export async function createLenientContext(options: ContextOptions): Promise<LenientContext> {
  try {
    return {context: await createContext(options)}
  } catch (error) {
    if (!(error instanceof MlvError)) throw error
    const profile = {name: 'local', settings: profileSchema.parse({})}
    const standIn = {profile, projectDir: process.cwd(), environment: readEnvironment(), warnings: []}
    return {context: await createContext(options, standIn), problem: error}
  }
}

async function chooseReporter(options: ContextOptions, environment: Environment): Promise<Reporter> {
  const streams = {stdout: process.stdout, stderr: process.stderr}
  const symbols = symbolsFor(environment)
  if (options.json) return createJsonReporter(streams, symbols)
  const plain = createPlainReporter(streams, symbols)
  if (options.quiet) return createQuietReporter(plain)
  if (!process.stderr.isTTY) return plain
  // Loaded late: colours and drawing are of no use in a pipe.
  const {createTerminalReporter, isLiveTerminal} = await import('../ui/terminal-reporter.js')
  return isLiveTerminal(environment, process.stderr) ? createTerminalReporter(environment, streams) : plain
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run with a user id that has no name.
    return `uid-${process.getuid?.() ?? 0}`
  }
}
