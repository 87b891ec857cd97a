import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {parse} from 'dotenv'

import {MlvError} from '../errors.js'
import {didYouMean} from '../nearest.js'

/**
 * The one place that reads the process's environment. A copy is taken once per command, so that nothing changes
 * under a running use-case and tests hand in their own.
 */
export type Environment = Readonly<Record<string, string | undefined>>

export function readEnvironment(): Environment {
  return {...process.env}
}

/** Without SHELL, oclif asks for the user's entry in the password file; a container's user may have none. */
export function nameShell(): void {
  process.env.SHELL ??= '/bin/sh'
}

/** A variable that a .env file gave. */
export interface DotenvVariable {
  readonly value: string
  readonly file: string
  readonly line: number
}

export interface DotenvFiles {
  readonly variables: ReadonlyMap<string, DotenvVariable>
  readonly warnings: readonly string[]
}

/** Variables that are no settings of mlv's own but that .env may give: secrets, and how storage is reached. */
export const dotenvExtras = [
  'MLV_PROFILE',
  'MLV_MLFLOW_STORE_PASSWORD',
  'MLV_MLFLOW_STORE_PASSWORD_FILE',
  'MLFLOW_S3_ENDPOINT_URL',
  'MLFLOW_S3_IGNORE_TLS',
  'RAY_TMPDIR',
  'RAY_memory_usage_threshold',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_CA_BUNDLE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
] as const

/**
 * Reads `.env.local` over `.env` beside mlv.yaml. Only what is named counts: a project's other variables are for its
 * own programs. Nothing goes into the process's environment.
 */
export async function readDotenv(folder: string, settingVariables: readonly string[]): Promise<DotenvFiles> {
  const allowed = new Set<string>([...settingVariables, ...dotenvExtras])
  const variables = new Map<string, DotenvVariable>()
  const warnings: string[] = []
  for (const name of ['.env', '.env.local']) {
    const file = join(folder, name)
    const text = await readIfThere(file)
    if (text === undefined) continue
    for (const [variable, value] of Object.entries(parse(text))) {
      const line = lineOf(text, variable)
      if (allowed.has(variable)) variables.set(variable, {value, file, line})
      else if (variable.startsWith('MLV_')) {
        warnings.push(`${name}:${line}: ${variable} is no setting and is not read.${didYouMean(variable, allowed)}`)
      }
    }
  }
  return {variables, warnings}
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    // A folder of that name is a virtual environment of somebody's, not settings.
    if (code === 'ENOENT' || code === 'EISDIR') return undefined
    throw new MlvError('MLV_SETTINGS_FILE', `${file} cannot be read (${code}).`, {
      cause: error,
      tryThis: [`ls -l ${JSON.stringify(file)}`],
    })
  }
}

function lineOf(text: string, variable: string): number {
  const lines = text.split('\n')
  // The last one counts, as it does for the parser.
  return lines.findLastIndex(line => new RegExp(`^\\s*(export\\s+)?${variable}\\s*[=:]`).test(line)) + 1
}
