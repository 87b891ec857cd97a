import {readFile, stat, writeFile} from 'node:fs/promises'
import {join, relative} from 'node:path'

import type {Context} from '../context.js'
import {describeFileError, MlvError} from '../errors.js'
import {placeSchema} from '../profile/editor-schema.js'
import {locateProject, PROJECT_FILE} from '../profile/locate.js'
import {readProject} from '../profile/project.js'
import {listSettings} from '../profile/settings.js'
import {passwordAdvice, storeHoldsPassword} from '../profile/store-password.js'
import {projectText} from '../profile/write-project.js'
import {writeFileAtomic} from '../tools/atomic-file.js'
import {askOne, askText} from '../ui/prompts.js'
import {type ClusterOptions, clusterAnswers} from './init-cluster.js'

export interface InitOptions extends ClusterOptions {
  readonly name: string | undefined
  readonly target: string | undefined
  readonly torch: string | undefined
  readonly store: string | undefined
  /** Take the default for everything that no flag gives. */
  readonly yes: boolean
  /** Write over a mlv.yaml that is there. */
  readonly force: boolean
}

export interface InitResult {
  file: string
  profile: string
  /** Lines added to .gitignore. */
  ignored: string[]
}

/** Writes a mlv.yaml into the current folder, from flags or by asking. */
export async function initProject(context: Context, options: InitOptions): Promise<InitResult> {
  const {cwd, packageDir} = context
  const file = join(cwd, PROJECT_FILE)
  if (!options.force && (await stat(file).catch(() => undefined))) {
    throw new MlvError('MLV_SETTINGS_EXIST', `There is a ${PROJECT_FILE} here already; mlv does not write over it.`, {
      tryThis: [context.command('config show --origin'), context.command('init --force')],
    })
  }
  const {profile, values} = await answers(context, options)
  try {
    const schemaLine = await placeSchema({name: 'mlv', packageDir, projectDir: cwd, folder: cwd})
    await writeFileAtomic(file, projectText({schemaLine, profile, values}), 0o644)
  } catch (error) {
    throw describeFileError(error, file)
  }
  // What was written is read back as any command would read it.
  await readProject(file, PROJECT_FILE)
  return {file, profile, ignored: await ignoreState(cwd)}
}

interface Answers {
  readonly profile: string
  readonly values: Record<string, unknown>
}

async function answers(context: Context, options: InitOptions): Promise<Answers> {
  const profile = options.name ?? (options.yes ? 'local' : await askName(context))
  // Whoever names a context means a cluster.
  const target = options.target ?? (options.context === undefined ? 'local' : 'kubernetes')
  const values: Record<string, unknown> = {target}
  if (target === 'kubernetes')
    return checked(context, profile, {...values, ...(await clusterAnswers(context, options))})
  const torch = options.torch ?? (options.yes ? 'auto' : await askTorch(context))
  if (torch !== 'auto') values['python.torch'] = torch
  const store = options.store ?? (options.yes ? '' : await askStore(context))
  if (store !== '') values['mlflow.store'] = store
  return checked(context, profile, values)
}

function checked(context: Context, profile: string, values: Record<string, unknown>): Answers {
  for (const [name, value] of Object.entries(values)) {
    const flag = `--${name.split('.').at(-1)}`
    const refusal = refuse(name, value)
    if (!refusal) continue
    const isSecret = name === 'mlflow.store' && storeHoldsPassword(value)
    throw new MlvError(isSecret ? 'MLV_SETTINGS_PASSWORD' : 'MLV_SETTINGS_VALUE', `${flag}: ${refusal}`, {
      tryThis: isSecret ? passwordAdvice : [context.command('init --help')],
    })
  }
  const refusal = refuseName(profile)
  if (refusal)
    throw new MlvError('MLV_SETTINGS_VALUE', `--name: ${refusal}`, {tryThis: [context.command('init --name local')]})
  return {profile, values}
}

function askName(context: Context): Promise<string> {
  return askText(context, {
    message: 'Name of the profile:',
    flag: '--name',
    instead: 'init --name local --yes',
    initial: 'local',
    validate: answer => refuseName(answer) ?? true,
  })
}

function askTorch(context: Context): Promise<string> {
  return askOne(context, {
    message: 'Which build of PyTorch should jobs use?',
    flag: '--torch',
    instead: 'init --torch auto --yes',
    initial: 'auto',
    choices: [
      {value: 'auto', name: 'auto', description: 'What fits this machine.'},
      {value: 'cpu', name: 'cpu', description: 'The small one, without GPUs.'},
    ],
  })
}

function askStore(context: Context): Promise<string> {
  return askText(context, {
    message: 'PostgreSQL address for runs (empty: SQLite in .mlv):',
    flag: '--store',
    instead: 'init --store postgresql://mlflow@localhost/mlflow --yes',
    initial: '',
    validate: answer => (answer === '' ? true : (refuse('mlflow.store', answer) ?? true)),
  })
}

function refuse(name: string, value: unknown): string | undefined {
  const setting = listSettings().find(candidate => candidate.name === name)
  if (name === 'mlflow.store' && storeHoldsPassword(value)) return 'the address holds a password.'
  if (!setting || setting.schema.safeParse(value).success) return undefined
  return `${JSON.stringify(value)} does not fit; it takes ${setting.takes}.`
}

function refuseName(name: string): string | undefined {
  const isName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)
  return isName ? undefined : `${JSON.stringify(name)} is no name; it takes letters, digits, ".", "_" and "-".`
}

/** State and secrets stay out of git. Says which lines it added; in a folder without git it adds none. */
async function ignoreState(cwd: string): Promise<string[]> {
  const {gitRoot} = await locateProject(cwd)
  if (gitRoot === undefined) return []
  const file = join(cwd, '.gitignore')
  const text = await readFile(file, 'utf8').catch(() => '')
  const present = new Set(text.split(/\r?\n/).map(line => line.trim().replace(/^\//, '').replace(/\/$/, '')))
  const missing = ['.mlv/', '.env.local'].filter(line => !present.has(line.replace(/\/$/, '')))
  if (missing.length === 0) return []
  const gap = text === '' || text.endsWith('\n') ? '' : '\n'
  try {
    await writeFile(file, `${text}${gap}${missing.join('\n')}\n`)
  } catch (error) {
    throw describeFileError(error, file)
  }
  return missing
}

/** What `mlv init` says when it is done. */
export function formatInit({file, profile, ignored}: InitResult, {command, cwd}: Context): string {
  return [
    `Wrote ${relative(cwd, file)} with the profile ${profile}.`,
    ...(ignored.length > 0 ? [`Added ${ignored.join(' and ')} to .gitignore.`] : []),
    '',
    'Next steps:',
    `  ${command('setup')}`,
    `  ${command('train digits')}`,
  ].join('\n')
}
