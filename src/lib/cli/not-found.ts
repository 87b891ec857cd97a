import {MlvError} from '../errors.js'
import {didYouMean, nearest} from '../nearest.js'

/** What oclif's parser throws, as far as it is read here. */
export interface ParserError extends Error {
  readonly flags?: readonly string[]
  readonly args?: readonly (string | {readonly name: string; readonly description?: string})[]
  readonly parse?: {readonly input?: {readonly flags?: Readonly<Record<string, unknown>>}}
}

/** The parser's errors in one sentence, with the nearest flag or value. `help` is the command line that shows the form. */
export function usageError(error: ParserError, help: string): MlvError {
  const form = {tryThis: [help]}
  const known = Object.keys(error.parse?.input?.flags ?? {})
  const [flag] = error.flags ?? []
  if (error.name === 'NonExistentFlagsError' || /^Nonexistent flag/.test(error.message)) {
    const word = (flag ?? '').replace(/^-+/, '').replace(/=.*$/, '')
    const meant = word.length > 1 ? nearest(word, [...known, 'help']) : undefined
    return new MlvError('MLV_USAGE', `There is no flag ${flag}.${meant ? ` Did you mean "--${meant}"?` : ''}`, {
      ...form,
    })
  }
  const choice = /^Expected (.*?)(?:=(.*))? to be one of: (.*)$/m.exec(error.message)
  if (choice) {
    const [, name = '', value = name, options = ''] = choice
    const subject =
      choice[2] === undefined ? `${JSON.stringify(name)} is none of the choices` : `${name} is ${JSON.stringify(value)}`
    return new MlvError(
      'MLV_USAGE',
      `${subject}; it takes one of: ${options}.${didYouMean(value, options.split(', '))}`,
      form,
    )
  }
  if (/^Missing \d+ required arg/.test(error.message)) {
    const names = (error.args ?? []).map(arg => (typeof arg === 'string' ? arg : arg.name.toUpperCase()))
    return new MlvError('MLV_USAGE', `${names.join(' and ')} is missing.`, {
      details: (error.args ?? []).flatMap(arg =>
        typeof arg === 'string' || !arg.description ? [] : [`${arg.name.toUpperCase()}: ${arg.description}`],
      ),
      ...form,
    })
  }
  const wrong = /^Parsing (--\S+)\s+Expected an? (\w+)( .*)? but received: (.*?)\s*(?:\n|$)/.exec(error.message)
  if (wrong) {
    const kind = wrong[2] === 'integer' ? 'whole number' : wrong[2]
    const bounds = (wrong[3] ?? '')
      .replace('greater than or equal to', 'of at least')
      .replace('less than or equal to', 'of at most')
    return new MlvError('MLV_USAGE', `${wrong[1]} is ${JSON.stringify(wrong[4])}; it takes a ${kind}${bounds}.`, form)
  }
  return new MlvError('MLV_USAGE', sentence(error.message), form)
}

function sentence(message: string): string {
  const text = message
    .replace(/\nSee more help with --help\s*$/, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** Whether oclif says that there is no such command. */
export function isCommandNotFound(error: unknown): boolean {
  return error instanceof Error && /^command \S+ not found$/.test(error.message)
}

/** There is no such command; names the one that was meant. `ids` are those of oclif, as `jobs:list`. */
export function unknownCommand(
  argv: readonly string[],
  ids: readonly string[],
  command: (line: string) => string,
): MlvError {
  const end = argv.findIndex(word => word.startsWith('-'))
  const words = end === -1 ? argv : argv.slice(0, end)
  const names = ids.map(id => id.replaceAll(':', ' '))
  const whole = names.find(
    name => words.length > name.split(' ').length && `${words.join(' ')} `.startsWith(`${name} `),
  )
  if (whole) {
    const rest = words.slice(whole.split(' ').length).join(' ')
    return new MlvError('MLV_USAGE', `\`${whole}\` takes no argument; ${JSON.stringify(rest)} is one too many.`, {
      tryThis: [command(whole), command(`${whole} --help`)],
    })
  }
  const topics = [...new Set(names.filter(name => name.includes(' ')).map(name => name.split(' ')[0] ?? ''))]
  const said = topics.includes(words[0] ?? '') ? words.slice(0, 2).join(' ') : (words[0] ?? '')
  // `job list` and `trian digits`: what follows may belong to the name or be an argument.
  const meant =
    nearest(
      words.slice(0, 2).join(' '),
      names.filter(name => name.includes(' ')),
    ) ?? nearest(words[0] ?? '', [...names, ...topics])
  return new MlvError(
    'MLV_USAGE_COMMAND',
    `There is no command ${JSON.stringify(said)}.${meant ? ` Did you mean "${meant}"?` : ''}`,
    {tryThis: meant ? [command(meant), command('--help')] : [command('--help')]},
  )
}
