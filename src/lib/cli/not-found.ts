import {stripVTControlCharacters} from 'node:util'

import {MlvError} from '../errors.js'
import {didYouMean, nearest} from '../nearest.js'
import {formatArgv} from '../tools/exec.js'

interface KnownArgument {
  readonly name: string
  readonly description?: string
  readonly options?: readonly string[]
}

/** What oclif's parser throws, as far as it is read here. */
export interface ParserError extends Error {
  readonly flags?: readonly string[]
  readonly args?: readonly (string | KnownArgument)[]
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
      choice[2] === undefined ? `${JSON.stringify(name)} is not known here` : `${name} is ${JSON.stringify(value)}`
    return new MlvError(
      'MLV_USAGE',
      `${subject}; it takes one of: ${options}.${didYouMean(value, options.split(', '))}`,
      form,
    )
  }
  if (/^Missing \d+ required arg/.test(error.message)) return missingArguments(error, help)
  const together = flagsTogether(stripVTControlCharacters(error.message))
  if (together) return new MlvError('MLV_USAGE', together, form)
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

function missingArguments(error: ParserError, help: string): MlvError {
  const args = (error.args ?? []).map((arg): KnownArgument => (typeof arg === 'string' ? {name: arg} : arg))
  const choices = args.length === 1 ? (args[0]?.options ?? []) : []
  const takes = choices.length > 0 ? `; it takes one of: ${choices.join(', ')}` : ''
  return new MlvError('MLV_USAGE', `${args.map(({name}) => name.toUpperCase()).join(' and ')} is missing${takes}.`, {
    details: args.flatMap(({description, name}) => (description ? [`${name.toUpperCase()}: ${description}`] : [])),
    tryThis: [...choices.slice(0, 1).map(choice => help.replace(/--help$/, choice)), help],
  })
}

/** What the parser has against two flags side by side, or against one alone. */
function flagsTogether(message: string): string | undefined {
  const [, one, other] = /(--[\w-]+)(?:=.*?)? cannot also be provided when using (--[\w-]+)/.exec(message) ?? []
  if (one) return `${other} and ${one} cannot be given together.`
  const [, lonely, needed] = /must be provided when using (--[\w-]+): (--[\w-]+)/.exec(message) ?? []
  return lonely && `${lonely} is of use with ${needed} only.`
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
  if (words.length === 0) return flagFirst(argv, names, command)
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
  const pair = nearest(
    words.slice(0, 2).join(' '),
    names.filter(name => name.includes(' ')),
  )
  const meant = pair ?? nearest(words[0] ?? '', [...names, ...topics])
  // `job` for `jobs list`: then the second word is an argument. A topic alone takes none.
  const isSecondPart =
    words[1] !== undefined &&
    nearest(
      words[1],
      names.map(name => name.split(' ')[1] ?? ''),
    ) !== undefined
  const rest = meant && names.includes(meant) ? argv.slice(pair && isSecondPart ? 2 : 1) : []
  return new MlvError(
    'MLV_USAGE_COMMAND',
    `There is no command ${JSON.stringify(said)}.${meant ? ` Did you mean "${meant}"?` : ''}`,
    {tryThis: meant ? [command([meant, formatArgv(rest)].join(' ').trim()), command('--help')] : [command('--help')]},
  )
}

/** `mlv -p big status`: the command is there, but not where it has to be. */
function flagFirst(argv: readonly string[], names: readonly string[], command: (line: string) => string): MlvError {
  const found = argv.flatMap((_, at) => {
    const from = argv.slice(at)
    // The longest name: `jobs list`, of which no `jobs` is a command.
    const name = names
      .filter(known => `${from.join(' ')} `.startsWith(`${known} `))
      .sort((a, b) => b.length - a.length)[0]
    return name ? [{at, name}] : []
  })[0]
  const {at = argv.length, name} = found ?? {}
  const after = name ? argv.slice(at + name.split(' ').length) : []
  const line = name && [name, formatArgv([...argv.slice(0, at), ...after])].join(' ')
  return new MlvError('MLV_USAGE_COMMAND', 'Flags come after the command.', {
    tryThis: [...(line ? [command(line)] : []), command('--help')],
  })
}
