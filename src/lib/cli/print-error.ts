import {errorCodes} from '../error-codes.js'
import {describeFileError, MlvError} from '../errors.js'
import {exitCodes} from '../exit-codes.js'
import {usageError} from './not-found.js'
import {stackLines} from './stack-lines.js'

/** What `--json` prints of a failure. */
export interface ErrorJson {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly details: readonly string[]
    readonly try_this: readonly string[]
    readonly exit_code: number
  }
}

/** Makes one kind of error out of whatever was thrown. A thing that nobody expected becomes MLV_BUG. */
export function toMlvError(thrown: unknown, command: (line: string) => string, id = ''): MlvError {
  if (thrown instanceof MlvError) return unwrapped(thrown, line => command(`${id.replaceAll(':', ' ')} ${line}`.trim()))
  const error = thrown as NodeJS.ErrnoException & {oclif?: {exit?: number}; path?: string}
  const described = describeFileError(error, error?.path ?? 'the folder')
  if (described instanceof MlvError) return described
  if (error?.name === 'ExitPromptError') return new MlvError('MLV_INTERRUPTED', 'Nothing was changed.')
  // The parser's own errors carry oclif's exit code 2.
  if (error?.oclif?.exit === errorCodes.MLV_USAGE.exit)
    return usageError(error, command(`${id.replaceAll(':', ' ')} --help`.trim()))
  return new MlvError('MLV_BUG', `mlv met something that it does not expect: ${error?.message ?? String(thrown)}`, {
    cause: thrown,
    details: stackLines(error),
    tryThis: [command('support dump'), 'Then report this together with the file that it writes.'],
  })
}

/** Of a flag that refuses its value itself the parser writes its own words around ours. */
function unwrapped(error: MlvError, command: (line: string) => string): MlvError {
  const [, ours] = /^Parsing --\S+\s+([\s\S]*?)\s*\nSee more help with --help\s*$/.exec(error.message) ?? []
  const {code, details, exitCode} = error
  const tryThis = error.tryThis.map(line => (line.startsWith('Use --') ? command(line.slice('Use '.length)) : line))
  return ours === undefined ? error : new MlvError(code, ours, {details, exitCode, tryThis, cause: error})
}

/** The text that people see on stderr: the sentence, what belongs to it, what to type next, the code. */
export function formatError(error: MlvError): string {
  if (error.code === 'MLV_INTERRUPTED' && error.message === '') return ''
  // Who presses Ctrl-C gets what was asked for.
  const isAsked = error.exitCode === exitCodes.interrupted
  const lines = [isAsked ? error.message : `Error: ${error.message}`]
  if (error.details.length > 0) lines.push('', ...error.details.map(line => (line === '' ? '' : `  ${line}`)))
  if (error.tryThis.length > 0) lines.push('', 'Try this:', ...error.tryThis.map(line => `  ${line}`))
  if (!isAsked) lines.push('', `Code: ${error.code}`)
  return `${lines.join('\n')}\n`
}

export function errorJson(error: MlvError): ErrorJson {
  return {
    error: {
      code: error.code,
      message: error.message,
      details: error.details,
      try_this: error.tryThis,
      exit_code: error.exitCode,
    },
  }
}
