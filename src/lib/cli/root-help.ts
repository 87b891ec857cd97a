/** What of oclif's manifest the first page of help needs. */
export interface ListedCommand {
  /** As `jobs:list`. */
  readonly id: string
  readonly summary: string
}

export interface About {
  readonly summary: string
  /** What each topic is for, without a full stop. */
  readonly topics: Readonly<Record<string, {readonly description: string}>>
}

/** The order in which people meet commands; a command is listed by its first word. */
const groups: readonly (readonly [string, readonly string[]])[] = [
  ['START', ['quickstart', 'init', 'setup', 'verify', 'status', 'open', 'logs', 'teardown']],
  ['WORK', ['train', 'tune', 'ddp', 'jobs', 'templates']],
  ['CLUSTER', ['images']],
  ['HELP', ['doctor', 'explain', 'config', 'completion', 'support', 'version']],
]

const WIDTH = 80

/**
 * `mlv --help`, made once when mlv is built: printing it then costs no more than starting Node.
 *
 * @throws an Error for a command that stands in no group, so that none is forgotten.
 */
export function rootHelp(commands: readonly ListedCommand[], about: About): string {
  const words = [...new Set(commands.map(({id}) => id.split(':')[0] ?? id))]
  const known = groups.flatMap(([, names]) => names)
  const forgotten = words.filter(word => !known.includes(word))
  if (forgotten.length > 0) throw new Error(`Commands in no group of the help: ${forgotten.join(', ')}`)
  const indent = Math.max(...words.map(word => word.length)) + 4
  const sections = groups.map(([title, names]) => {
    const lines = names
      .filter(name => words.includes(name))
      .map(name => entry(name, describe(commands, about.topics, name), indent))
    return [title, ...lines].join('\n')
  })
  const end = ['`mlv COMMAND --help` explains a command; all take --json and --profile.']
  return `${[wrap(about.summary, 0), 'USAGE\n  $ mlv COMMAND [FLAGS]', ...sections, ...end].join('\n\n')}\n`
}

/** A command's own summary, or what a topic is for and the second words that it takes. */
function describe(commands: readonly ListedCommand[], topics: About['topics'], name: string): string {
  const own = commands.find(({id}) => id === name)
  const inside = commands.filter(({id}) => id.startsWith(`${name}:`)).map(({id}) => id.slice(name.length + 1))
  if (inside.length === 0) return own?.summary ?? ''
  const list = inside.sort().join(', ')
  return own ? `${own.summary} Also: ${list}.` : `${topics[name]?.description}: ${list}.`
}

function entry(name: string, text: string, indent: number): string {
  return `  ${name.padEnd(indent - 2)}${wrap(text, indent)}`
}

/** Words in lines of at most 80 columns; the first line begins after `indent`, the others are indented by it. */
function wrap(text: string, indent: number): string {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    const isFull = last !== '' && indent + last.length + 1 + word.length > WIDTH
    if (isFull) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
