import {MlvError, ToolError} from '../errors.js'
import type {Environment} from '../profile/env.js'
import {Secret} from './secret.js'

export interface ExecOptions {
  readonly cwd?: string
  /** Added to the command's environment; the only way, with `input`, to hand over a secret. */
  readonly env?: Readonly<Record<string, string | Secret | undefined>>
  readonly input?: string | Secret
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  /** Called with each line of either stream as it comes. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void
  /** False: an exit code other than 0 is returned, not thrown. */
  readonly reject?: boolean
  /** After an interrupt, how long the child may take before its group is killed; 'forever' for programs that must not be. */
  readonly graceMs?: number | 'forever'
}

export interface ExecResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** The one door to other programs: argument lists only, never a shell. */
export interface Exec {
  /** Looks without changing anything; runs under `--dry-run` too. */
  read(argv: readonly [string, ...string[]], options?: ExecOptions): Promise<ExecResult>
  /** Changes something; under `--dry-run` it is printed instead and answers as if it had gone well. */
  write(argv: readonly [string, ...string[]], options?: ExecOptions): Promise<ExecResult>
}

const DEFAULT_GRACE_MS = 10_000

export interface ExecSetup {
  readonly environment: Environment
  readonly signal: AbortSignal
  readonly dryRun: boolean
  /** Receives, under `--dry-run`, the command line that would have run. */
  print(line: string): void
}

export function createExec(setup: ExecSetup): Exec {
  return {
    read: (argv, options) => run(setup, argv, options),
    async write(argv, options) {
      if (!setup.dryRun) return run(setup, argv, options)
      setup.print(formatArgv(argv))
      return {exitCode: 0, stdout: '', stderr: ''}
    },
  }
}

/** An argument list as one line that a POSIX shell reads back as the same list. */
export function formatArgv(argv: readonly string[]): string {
  return argv.map(part => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`)).join(' ')
}

async function run(
  setup: ExecSetup,
  argv: readonly [string, ...string[]],
  options: ExecOptions = {},
): Promise<ExecResult> {
  // Loaded late: most commands only talk HTTP.
  const {execa} = await import('execa')
  const [file, ...args] = argv
  const signal = options.signal ?? setup.signal
  signal.throwIfAborted()
  const child = execa(file, args, {
    cleanup: true,
    // A group of its own: the terminal's Ctrl-C reaches mlv alone, which then passes it on exactly once.
    detached: true,
    env: {...setup.environment, ...revealed(options.env)},
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    ...(options.cwd === undefined ? {} : {cwd: options.cwd}),
    ...(options.input === undefined ? {stdin: 'ignore'} : {input: unwrap(options.input)}),
  })
  const stop = stopOnAbort(child.pid, signal, options)
  const {onLine} = options
  if (onLine) {
    const forward = async (stream: 'stdout' | 'stderr') => {
      for await (const line of child.iterable({from: stream})) onLine(line as string, stream)
    }
    await Promise.all([forward('stdout'), forward('stderr')]).catch(() => undefined)
  }
  const result = await child
  stop.disarm()
  if (signal.aborted) throw signal.reason
  if (stop.timedOut()) {
    throw new MlvError('MLV_TOOL_TIMEOUT', `${file} did not end within ${(options.timeoutMs ?? 0) / 1000} s.`)
  }
  const {code} = result as {code?: string}
  // EACCES: found only in a folder of PATH that is somebody else's, or a file that is no program.
  if (result.exitCode === undefined && (code === 'ENOENT' || code === 'EACCES')) {
    throw new MlvError(
      'MLV_TOOL_MISSING',
      code === 'EACCES' ? `${file} may not be started.` : `${file} is not on PATH.`,
      {
        tryThis: [`Install ${file}, then run the command again.`],
      },
    )
  }
  const exitCode = result.exitCode ?? 128
  const outcome = {exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '')}
  if (exitCode !== 0 && options.reject !== false) {
    throw new ToolError(`${file} ended with exit code ${exitCode}.`, {argv, exitCode, stderr: outcome.stderr})
  }
  return outcome
}

function stopOnAbort(pid: number | undefined, signal: AbortSignal, options: ExecOptions) {
  const timers: NodeJS.Timeout[] = []
  let timedOut = false
  const killGroup = () => signalGroup(pid, 'SIGKILL')
  const interruptGroup = () => {
    signalGroup(pid, 'SIGINT')
    if (options.graceMs === 'forever') return
    timers.push(setTimeout(killGroup, options.graceMs ?? DEFAULT_GRACE_MS))
    // A second Ctrl-C ends the wait: the group would outlive an mlv that simply died of it.
    process.on('SIGINT', killGroup)
  }
  signal.addEventListener('abort', interruptGroup, {once: true})
  if (options.timeoutMs !== undefined) {
    const onTimeout = () => {
      timedOut = true
      interruptGroup()
    }
    timers.push(setTimeout(onTimeout, options.timeoutMs))
  }
  return {
    disarm() {
      signal.removeEventListener('abort', interruptGroup)
      process.off('SIGINT', killGroup)
      for (const timer of timers) clearTimeout(timer)
    },
    timedOut: () => timedOut,
  }
}

/** Signals a whole process group; a group that is gone already is no error. */
export function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function revealed(env: ExecOptions['env'] = {}): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value === undefined ? undefined : unwrap(value)]),
  )
}

function unwrap(value: string | Secret): string {
  return value instanceof Secret ? value.reveal() : value
}
