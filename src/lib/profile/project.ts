import type {z} from 'zod'

import {MlvError} from '../errors.js'
import {didYouMean} from '../nearest.js'
import {describeIssues} from './describe-issue.js'
import type {Environment} from './env.js'
import type {Origin} from './origin.js'
import {projectSchema} from './profile.js'
import {passwordAdvice, storeHoldsPassword} from './store-password.js'
import type {KeyPath, YamlFile} from './yaml-file.js'

export interface Project {
  readonly file: YamlFile
  readonly defaultProfile: string | undefined
  readonly profiles: readonly string[]
}

/** Reads mlv.yaml and refuses whatever in it is wrong, each with its line and column. */
export async function readProject(path: string, label: string): Promise<Project> {
  // Where there is no mlv.yaml, the 72 modules of the YAML parser are not loaded.
  const {readYamlFile} = await import('./yaml-file.js')
  const file = await readYamlFile(path, {label, code: 'MLV_SETTINGS_SYNTAX'})
  const value = withoutEmpty(file.value) as {default?: string; profiles?: Record<string, unknown>}
  const profiles = Object.keys((file.value as {profiles?: object} | null)?.profiles ?? {})
  checkSettings(
    file,
    projectSchema,
    profiles.map(name => ['profiles', name]),
  )
  return {file, defaultProfile: value.default, profiles}
}

/** Holds a file against a schema. `holders` are the paths at which the settings of a profile stand. */
export function checkSettings(file: YamlFile, schema: z.ZodType, holders: readonly KeyPath[]): void {
  const value = withoutEmpty(file.value)
  const problems = describeIssues(schema, value)
  const isAboutKeys = problems.some(problem => problem.kind === 'key')
  if (problems.length > 0) throw file.error(isAboutKeys ? 'MLV_SETTINGS_KEY' : 'MLV_SETTINGS_VALUE', problems)
  for (const holder of holders) {
    const path = [...holder, 'mlflow', 'store']
    if (storeHoldsPassword(path.reduce(step, value))) {
      throw file.error('MLV_SETTINGS_PASSWORD', [{path, sentence: 'mlflow.store holds a password.'}], passwordAdvice)
    }
  }
}

export interface SelectOptions {
  readonly project: Project | undefined
  readonly flag: string | undefined
  readonly environment: Environment
  readonly command: ((line: string) => string) | undefined
}

export interface Selected {
  readonly name: string
  readonly origin: Origin
  /** Where in mlv.yaml its settings stand. */
  readonly path: readonly string[]
}

/** `--profile`, else `MLV_PROFILE`, else `default:`, else the only one, else the built-in `local`. */
export function selectProfile({project, flag, environment, command = line => `mlv ${line}`}: SelectOptions): Selected {
  const profiles = project?.profiles ?? []
  const variable = environment.MLV_PROFILE
  const fromFile = project?.defaultProfile ?? (profiles.length === 1 ? profiles[0] : undefined)
  const name = flag ?? (variable || undefined) ?? fromFile
  if (name === undefined && profiles.length > 1 && !profiles.includes('local')) {
    throw new MlvError('MLV_PROFILE_UNKNOWN', `${project?.file.label} has several profiles and no \`default:\`.`, {
      details: [`Profiles: ${profiles.join(', ')}.`],
      tryThis: profiles.slice(0, 3).map(profile => command(`config show --profile ${profile}`)),
    })
  }
  const chosen = name ?? 'local'
  if (chosen !== 'local' && !profiles.includes(chosen)) {
    const known = profiles.includes('local') ? profiles : [...profiles, 'local']
    const hint = didYouMean(chosen, known)
    if (project && flag === undefined && !variable) {
      const sentence = `default names the profile ${JSON.stringify(chosen)}, which is not there.${hint || ` Profiles: ${known.join(', ')}.`}`
      throw project.file.error('MLV_PROFILE_UNKNOWN', [{path: ['default'], sentence}])
    }
    const where = project ? `in ${project.file.label}` : 'here (there is no mlv.yaml)'
    throw new MlvError('MLV_PROFILE_UNKNOWN', `There is no profile ${JSON.stringify(chosen)} ${where}.${hint}`, {
      details: [`Profiles: ${known.join(', ')}.`],
      tryThis: [command('config show --profile local'), ...(project ? [] : [command(`init --name ${chosen}`)])],
    })
  }
  return {name: chosen, origin: nameOrigin(), path: ['profiles', chosen]}

  function nameOrigin(): Origin {
    // oclif fills the flag from the variable, so that both are the same text then.
    if (flag !== undefined && flag !== variable) return {kind: 'flag', flag: '--profile'}
    if (variable) return {kind: 'environment', variable: 'MLV_PROFILE'}
    if (!project || name === undefined) return {kind: 'default'}
    const path = project.defaultProfile === undefined ? ['profiles', chosen] : ['default']
    return {kind: 'project', file: project.file.path, ...project.file.position(path, path.length > 1)}
  }
}

function step(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined
}

/** A key whose values were all commented out is read as empty; it means "not set". */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutEmpty(inner)]),
  )
}
