import {stat} from 'node:fs/promises'
import {join, relative} from 'node:path'

import {MlvError} from '../errors.js'
import {didYouMean, nearest} from '../nearest.js'
import {type DotenvVariable, type Environment, readDotenv} from './env.js'
import {locateProject, PROJECT_FILE} from './locate.js'
import type {Origin} from './origin.js'
import {profileSchema, type ResolvedProfile, userSchema} from './profile.js'
import {checkSettings, readProject, selectProfile} from './project.js'
import {listSettings, type Setting, valueFromText} from './settings.js'
import {hidePasswords, openAt} from './source-frame.js'
import {refusePassword} from './store-password.js'
import type {YamlFile} from './yaml-file.js'

export interface LoadOptions {
  readonly cwd: string
  readonly environment: Environment
  /** From `--profile`; else `MLV_PROFILE`, else the file's `default:`, else the built-in `local`. */
  readonly name: string | undefined
  /** mlv's own configuration folder, which may hold the person's `config.yaml`. */
  readonly configDir?: string | undefined
  /** Settings from flags, as `python.torch=cpu`. */
  readonly flags?: readonly string[] | undefined
  /** Makes a command that can be pasted. */
  readonly command?: ((line: string) => string) | undefined
}

export interface LoadedProfile {
  readonly profile: ResolvedProfile
  readonly projectDir: string
  /** The environment with what `.env` files add to it; the process's own variables win. */
  readonly environment: Environment
  readonly warnings: readonly string[]
}

interface Found {
  readonly value: unknown
  readonly origin: Origin
}

type Layer = (setting: Setting) => Found | undefined

/** Finds the profile that a command acts on, and every setting of it with where it comes from. */
export async function loadProfile(options: LoadOptions): Promise<LoadedProfile> {
  const settings = listSettings()
  const located = await locateProject(options.cwd)
  const label = (file: string) => {
    const path = relative(options.cwd, file)
    return path.startsWith('..') && path.length > file.length ? file : path
  }
  const dotenv = await readDotenv(
    located.projectDir,
    settings.map(setting => setting.variable),
  )
  const environment: Environment = {
    ...Object.fromEntries([...dotenv.variables].map(([name, {value}]) => [name, value])),
    ...options.environment,
  }
  const project = located.file === undefined ? undefined : await readProject(located.file, label(located.file))
  const user = await readUserFile(options.configDir)
  const chosen = selectProfile({project, flag: options.name, environment, command: options.command})
  const layers: Layer[] = [
    fromFlags(options.flags ?? [], settings),
    fromEnvironment(options.environment, dotenv.variables),
    fromFile('project', project?.file, chosen.path),
    fromFile('user', user, []),
  ]
  const origins: Record<string, Origin> = {}
  const values: Record<string, unknown> = {}
  for (const setting of settings) {
    const found = layers.map(layer => layer(setting)).find(answer => answer !== undefined)
    origins[setting.name] = found?.origin ?? {kind: 'default'}
    if (found) setAt(values, setting.path, found.value)
  }
  const misnamed = located.misnamed && `${label(located.misnamed)} is not read; its name has to be ${PROJECT_FILE}.`
  return {
    profile: {
      name: chosen.name,
      settings: profileSchema.parse(values),
      ...(located.file !== undefined && {file: located.file}),
      origins: {name: chosen.origin, settings: origins},
    },
    projectDir: located.projectDir,
    environment,
    warnings: [...dotenv.warnings, ...(misnamed ? [misnamed] : [])],
  }
}

async function readUserFile(configDir: string | undefined): Promise<YamlFile | undefined> {
  if (configDir === undefined) return undefined
  const path = join(configDir, 'config.yaml')
  if (!(await stat(path).catch(() => undefined))) return undefined
  const {readYamlFile} = await import('./yaml-file.js')
  const file = await readYamlFile(path, {label: path, code: 'MLV_SETTINGS_FILE'})
  checkSettings(file, userSchema, [[]])
  return file
}

function fromFlags(flags: readonly string[], settings: readonly Setting[]): Layer {
  const given = new Map<string, unknown>()
  for (const text of flags) {
    const [name = '', ...rest] = text.split('=')
    const setting = settings.find(candidate => candidate.name === name)
    const names = settings.map(candidate => candidate.name)
    if (!setting || rest.length === 0) {
      const what = setting ? `--setting ${name} has no value.` : `There is no setting ${JSON.stringify(name)}.`
      throw new MlvError('MLV_SETTING_FLAG', `${what}${setting ? '' : didYouMean(name, names)}`, {
        details: [`Settings: ${names.join(', ')}.`],
        tryThis: [`--setting ${nearest(name, names) ?? 'ray.cpus'}=VALUE`],
      })
    }
    given.set(name, checkText(setting, rest.join('='), {name: `--setting ${name}`, remedy: `--setting ${name}=VALUE`}))
  }
  return ({name}) =>
    given.has(name) ? {value: given.get(name), origin: {kind: 'flag', flag: `--setting ${name}`}} : undefined
}

function fromEnvironment(process: Environment, dotenv: ReadonlyMap<string, DotenvVariable>): Layer {
  return setting => {
    const {variable} = setting
    const own = process[variable]
    // An empty variable is how shells and CI say "not set".
    if (own)
      return {
        value: checkText(setting, own, {name: variable, remedy: `unset ${variable}`}),
        origin: {kind: 'environment', variable},
      }
    const written = dotenv.get(variable)
    if (!written?.value || own === '') return undefined
    const value = checkText(setting, written.value, {
      name: `${variable} in ${written.file}`,
      remedy: openAt(written.file, written.line),
    })
    return {value, origin: {kind: 'environment', variable, file: written.file, line: written.line}}
  }
}

function checkText(setting: Setting, text: string, {name, remedy}: {name: string; remedy: string}): unknown {
  const value = valueFromText(setting.schema, text)
  if (!setting.schema.safeParse(value).success) {
    const shown = JSON.stringify(hidePasswords(text))
    throw new MlvError('MLV_SETTINGS_VALUE', `${name} is ${shown}; it takes ${setting.takes}.`, {
      details: setting.description ? [setting.description] : [],
      tryThis: [remedy],
    })
  }
  refusePassword(setting.name, value, name)
  return value
}

function fromFile(kind: 'project' | 'user', file: YamlFile | undefined, above: readonly string[]): Layer {
  return ({path}) => {
    if (!file) return undefined
    let value: unknown = file.value
    for (const key of [...above, ...path]) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
      value = (value as Record<string, unknown>)[key]
    }
    // A key without a value is a key that somebody emptied: not set.
    if (value === null || value === undefined) return undefined
    return {value, origin: {kind, file: file.path, ...file.position([...above, ...path])}}
  }
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path
  if (rest.length === 0) {
    target[first] = value
    return
  }
  target[first] ??= {}
  setAt(target[first] as Record<string, unknown>, rest, value)
}
