import type {Context} from '../context.js'
import {errorCodes} from '../error-codes.js'
import {withPlatform} from '../jobs/platform.js'
import {jobRuns, tags} from '../jobs/record.js'
import {locateProject} from '../profile/locate.js'
import {readProject} from '../profile/project.js'
import {listTemplates, loadTemplate} from '../templates/load-template.js'
import {formatArgv} from '../tools/exec.js'
import {phaseIds} from '../types/phase.js'

export const shells = ['bash', 'zsh'] as const
export type Shell = (typeof shells)[number]

interface KnownFlag {
  readonly type: string
  readonly name: string
  readonly char?: string | undefined
  readonly multiple?: boolean
  readonly options?: readonly string[]
}

/** What the manifest says of a command. */
export interface KnownCommand {
  /** As `jobs:list`. */
  readonly id: string
  readonly args: Readonly<Record<string, {readonly options?: readonly string[]}>>
  readonly flags: Readonly<Record<string, KnownFlag>>
}

/** What may stand in a place: words that are known, or the kind of thing whose names have to be looked up. */
export type Wanted = {readonly words: readonly string[]} | {readonly kind: Kind; readonly template?: string}
type Kind = 'code' | 'job' | 'parameter' | 'phase' | 'profile' | 'template'

const flagKinds: Readonly<Record<string, Kind>> = {from: 'phase', only: 'phase', profile: 'profile', set: 'parameter'}
const argumentKinds: Readonly<Record<string, Kind>> = {
  code: 'code',
  job: 'job',
  name: 'template',
  sweep: 'job',
  template: 'template',
}
/** A person who pressed Tab does not wait for a server that is not there. */
const LOOK_DEADLINE_MS = 1500
const JOBS = 50

/** For `eval` or a file: asks mlv itself at each Tab, so that it is never out of date. */
export function completionScript(shell: Shell, program: readonly string[]): string {
  const ask = `${formatArgv(program)} completion ${shell} --`
  if (shell === 'bash') {
    return [
      '_mlv_complete() {',
      "  local IFS=$'\\n'",
      `  COMPREPLY=($(${ask} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))`,
      '}',
      'complete -o default -F _mlv_complete mlv',
    ].join('\n')
  }
  return [
    '#compdef mlv',
    '_mlv_complete() {',
    '  local -a found',
    `  found=("\${(@f)$(${ask} "\${(@)words[2,CURRENT]}" 2>/dev/null)}")`,
    `  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi`,
    '}',
    'compdef _mlv_complete mlv',
  ].join('\n')
}

/** What could stand in the place of the last word, which may be begun; nothing where mlv has no say. */
export async function complete(
  words: readonly string[],
  commands: readonly KnownCommand[],
  context: () => Promise<Context>,
  cwd = process.cwd(),
): Promise<readonly string[]> {
  const begun = words.at(-1) ?? ''
  const wanted = wantedAt(words.slice(0, -1), begun, commands)
  const names = 'words' in wanted ? wanted.words : await namesOf(wanted, context, cwd).catch(() => [])
  return [...new Set(names)].filter(name => name.startsWith(begun)).sort()
}

/** Which words, or names of which kind, may follow these. */
export function wantedAt(before: readonly string[], begun: string, commands: readonly KnownCommand[]): Wanted {
  // A command of the person's own.
  if (before.includes('--')) return {words: []}
  const path: string[] = []
  const given: string[] = []
  const isTopic = (words: readonly string[]) => commands.some(({id}) => `${id}:`.startsWith(`${words.join(':')}:`))
  let command: KnownCommand | undefined
  let open: KnownFlag | undefined
  for (const word of before) {
    if (open) open = undefined
    else if (word.startsWith('-')) open = valueFlag(command, word)
    else if (given.length === 0 && isTopic([...path, word])) {
      path.push(word)
      command = commands.find(({id}) => id === path.join(':'))
    } else given.push(word)
  }
  if (open) return valuesOf(open, given[0])
  if (begun.startsWith('-')) return {words: flagsLeft(command, before)}
  const next = commands.map(({id}) => id.split(':')).filter(id => path.every((word, index) => id[index] === word))
  const subcommands = given.length > 0 ? [] : next.flatMap(id => id[path.length] ?? [])
  const [name, argument] = Object.entries(command?.args ?? {})[given.length] ?? []
  if (subcommands.length > 0 || name === undefined) return {words: subcommands}
  const kind = argumentKinds[name]
  return argument?.options ? {words: argument.options} : kind ? {kind} : {words: []}
}

function flagsLeft(command: KnownCommand | undefined, before: readonly string[]): string[] {
  return Object.values(command?.flags ?? {})
    .filter(({multiple, name}) => multiple === true || !before.includes(`--${name}`))
    .map(({name}) => `--${name}`)
}

function valueFlag(command: KnownCommand | undefined, word: string): KnownFlag | undefined {
  const flag = Object.values(command?.flags ?? {}).find(({char, name}) => word === `--${name}` || word === `-${char}`)
  return flag?.type === 'option' ? flag : undefined
}

function valuesOf({name, options}: KnownFlag, template: string | undefined): Wanted {
  if (options) return {words: options}
  const kind = flagKinds[name]
  return kind ? {kind, ...(template !== undefined && {template})} : {words: []}
}

async function namesOf(
  {kind, template}: Exclude<Wanted, {words: unknown}>,
  context: () => Promise<Context>,
  cwd: string,
): Promise<readonly string[]> {
  if (kind === 'code') return Object.keys(errorCodes)
  if (kind === 'phase') return phaseIds
  if (kind === 'profile') {
    const {file} = await locateProject(cwd)
    return file === undefined ? ['local'] : (await readProject(file, file)).profiles
  }
  const made = await context()
  if (kind === 'template') return (await listTemplates(made)).map(({name}) => name)
  if (kind === 'parameter') {
    return Object.keys((await loadTemplate(made, template ?? 'digits')).parameters).map(name => `${name}=`)
  }
  const runs = withPlatform(made, async platform => jobRuns(await platform.mlflow(), JOBS))
  const late = new Promise<[]>(resolve => setTimeout(resolve, LOOK_DEADLINE_MS, []).unref())
  return (await Promise.race([runs, late])).map(run => run.tags[tags.name] ?? '')
}
