import {accessSync, constants, existsSync} from 'node:fs'
import {dirname} from 'node:path'

import {type ErrorCode, errorCodes} from './error-codes.js'

export interface MlvErrorOptions {
  /** Commands or short sentences that help, most likely first; shown under `Try this:`. */
  readonly tryThis?: readonly string[]
  /** Further lines between the sentence and `Try this:`, such as the last lines of a log. */
  readonly details?: readonly string[]
  readonly cause?: unknown
  /** Overrides the code's exit status; only for a status that is passed through. */
  readonly exitCode?: number
}

/** A failure that a person can act on. Its message says what is the case, in the present tense. */
export class MlvError extends Error {
  readonly code: ErrorCode
  readonly details: readonly string[]
  readonly exitCode: number
  readonly tryThis: readonly string[]

  constructor(code: ErrorCode, message: string, options: MlvErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : {cause: options.cause})
    this.name = 'MlvError'
    this.code = code
    this.details = options.details ?? []
    this.exitCode = options.exitCode ?? errorCodes[code].exit
    this.tryThis = options.tryThis ?? []
  }
}

/** A program that mlv ran ended with an error; keeps what a classifier needs to say it in better words. */
export class ToolError extends MlvError {
  readonly argv: readonly string[]
  readonly stderr: string
  readonly toolExitCode: number | undefined

  constructor(
    message: string,
    tool: {argv: readonly string[]; exitCode: number | undefined; stderr: string},
    options: MlvErrorOptions & {code?: ErrorCode} = {},
  ) {
    super(options.code ?? 'MLV_TOOL_FAILED', message, {
      details: tool.stderr.trimEnd().split('\n').slice(-20).filter(Boolean),
      ...options,
    })
    this.argv = tool.argv
    this.stderr = tool.stderr
    this.toolExitCode = tool.exitCode
  }
}

export function diskFull(path: string, cause?: unknown): MlvError {
  const there = nearestThere(path)
  return new MlvError('MLV_DISK_FULL', `The disk that holds ${path} is full.`, {
    cause,
    tryThis: [`df -h ${JSON.stringify(there)}`],
  })
}

/** What could not be written is often not there itself. */
function nearestThere(path: string): string {
  let there = path
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  return there
}

/** Node says ENOENT where it makes folders on a file system that can only be read. */
function codeOf(error: NodeJS.ErrnoException | undefined, path: string): string | undefined {
  if (error?.code !== 'ENOENT' || error.syscall !== 'mkdir') return error?.code
  try {
    accessSync(nearestThere(error.path ?? path), constants.W_OK)
    return error.code
  } catch (refusal) {
    return (refusal as NodeJS.ErrnoException).code
  }
}

/** Turns errors of the file system that a person can act on into sentences; everything else comes back as it is. */
export function describeFileError(error: unknown, path: string): unknown {
  const code = codeOf(error as NodeJS.ErrnoException | undefined, path)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return diskFull(path, error)
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new MlvError('MLV_FOLDER_READ_ONLY', `${path} cannot be written (${code}).`, {
      cause: error,
      tryThis: [
        `ls -ld ${JSON.stringify(nearestThere(dirname(path)))}`,
        'Then give yourself the right to write there, or go to another folder.',
      ],
    })
  }
  return error
}

/** A sentence as a part of another one. */
export function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '')
}
