import {type ErrorCode, errorCodes} from './error-codes.js'
import {MlvError} from './errors.js'
import {type ErrorCodeInfo, exitCodes, exitMeanings} from './exit-codes.js'
import {nearest} from './nearest.js'

export interface Explanation {
  readonly code: string
  readonly exit_code: number
  readonly meaning: string
  /** What helps, most likely first: sentences, and command lines that can be pasted where the person is. */
  readonly remedies: readonly string[]
}

/**
 * What one code means, what every code means, or those that end with an exit code; takes `mlflow_denied` for
 * `MLV_MLFLOW_DENIED` too.
 */
export function explain(name: string | undefined, command: (line: string) => string): readonly Explanation[] {
  const codes = Object.keys(errorCodes) as ErrorCode[]
  if (name === undefined) return codes.map(code => explanationOf(code, command))
  const exit = exitCodeOf(name)
  if (exit !== undefined) {
    return codes.filter(code => errorCodes[code].exit === exit.code).map(code => explanationOf(code, command))
  }
  const upper = name.trim().toUpperCase().replaceAll('-', '_')
  const wanted = upper.startsWith('MLV_') ? upper : `MLV_${upper}`
  const found = codes.find(code => code === wanted)
  if (found) return [explanationOf(found, command)]
  if (/^\d+$/.test(name.trim())) {
    throw new MlvError('MLV_USAGE', `${name.trim()} is no exit code of mlv; it ends with one of: ${knownExits()}.`, {
      tryThis: [command('explain')],
    })
  }
  // Half of a name is no slip of the finger, but says what was meant.
  const meant = nearest(wanted, codes) ?? codes.find(code => code.includes(upper))
  throw new MlvError(
    'MLV_USAGE',
    `${JSON.stringify(name)} is no error code of mlv.${meant ? ` Did you mean "${meant}"?` : ''}`,
    {tryThis: [...(meant ? [command(`explain ${meant}`)] : []), command('explain')]},
  )
}

function exitCodeOf(name: string): {readonly code: number; readonly meaning: string} | undefined {
  const names = Object.keys(exitCodes) as (keyof typeof exitCodes)[]
  const found = names.find(key => String(exitCodes[key]) === name.trim())
  return found && {code: exitCodes[found], meaning: exitMeanings[found]}
}

const knownExits = () => Object.values(exitCodes).join(', ')

/** For people; `name` is what was asked for. */
export function formatExplanations(explanations: readonly Explanation[], name = ''): string {
  const exit = exitCodeOf(name)
  if (exit) {
    const list = explanations.length > 0 ? ['', formatExplanations(explanations)] : []
    return [`Exit code ${exit.code}: ${exit.meaning}.`, ...list].join('\n')
  }
  const [first] = explanations
  if (explanations.length !== 1 || first === undefined) {
    const width = Math.max(...explanations.map(({code}) => code.length))
    return explanations
      .map(({code, exit_code, meaning}) => `${code.padEnd(width)}  ${String(exit_code).padStart(3)}  ${meaning}`)
      .join('\n')
  }
  const lines = [`${first.code} (exit code ${first.exit_code})`, '', first.meaning]
  if (first.remedies.length > 0) lines.push('', 'What helps:', ...first.remedies.map(line => `  ${line}`))
  return lines.join('\n')
}

function explanationOf(code: ErrorCode, command: (line: string) => string): Explanation {
  const {exit, meaning, remedies = []}: ErrorCodeInfo = errorCodes[code]
  return {
    code,
    exit_code: exit,
    meaning,
    remedies: remedies.map(line => line.replaceAll(/`mlv ([^`]+)`/g, (_, rest: string) => `\`${command(rest)}\``)),
  }
}
