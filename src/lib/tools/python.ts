import {constants} from 'node:fs'
import {access, realpath} from 'node:fs/promises'
import {delimiter, join} from 'node:path'
import {z} from 'zod'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'

export interface FoundPython {
  readonly path: string
  /** Such as 3.11.2; absent where it does not start. */
  readonly version?: string
  /** Where it is installed: one Python often has several names. */
  readonly home?: string
  /** Why an environment cannot be made with it; absent where it can. */
  readonly problem?: string
}

const NAMES = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3', 'python']
const OLDEST_MINOR = 10
const NEWEST_MINOR = 13
const START_DEADLINE_MS = 10_000

// A Python that was compiled without one of these starts well and fails much later, inside MLflow or PyTorch.
const QUESTION = `
import importlib.util, json, platform, sys
def lacks(name):
    try:
        __import__(name)
    except ImportError:
        return True
wanted = ["bz2", "ctypes", "lzma", "sqlite3", "ssl", "zlib"]
print(json.dumps({"version": platform.python_version(), "kind": platform.python_implementation(),
                  "lacks": [name for name in wanted if lacks(name)], "bits": 64 if sys.maxsize > 2**32 else 32,
                  "home": sys.base_prefix}))
`

const answerSchema = z.object({
  version: z.string(),
  kind: z.string(),
  lacks: z.array(z.string()),
  bits: z.number(),
  home: z.string(),
})

/** Every Python on PATH and the one that the profile names, each asked what it is. */
export async function findPythons(context: Context): Promise<readonly FoundPython[]> {
  const folders = (context.environment.PATH ?? '').split(delimiter).filter(Boolean)
  const paths = NAMES.flatMap(name => folders.map(folder => join(folder, name)))
  const chosen = context.profile.settings.python.path
  const candidates = new Map<string, string>()
  for (const path of chosen === undefined ? paths : [chosen, ...paths]) {
    const real = await executable(path)
    if (real !== undefined && !candidates.has(real)) candidates.set(real, path)
    else if (path === chosen && real === undefined) candidates.set(path, path)
  }
  const answers = await Promise.all([...candidates.values()].map(path => ask(context, path)))
  const isFirst = ({home, version}: FoundPython, index: number) =>
    home === undefined || answers.findIndex(other => other.home === home && other.version === version) === index
  return answers.filter(isFirst)
}

async function executable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK)
    return await realpath(path)
  } catch {
    return undefined
  }
}

async function ask(context: Context, path: string): Promise<FoundPython> {
  try {
    const {exitCode, stderr, stdout} = await context.exec.read([path, '-I', '-c', QUESTION], {
      reject: false,
      timeoutMs: START_DEADLINE_MS,
    })
    if (exitCode !== 0) return {path, problem: `does not start (${firstReason(stderr) ?? `exit code ${exitCode}`})`}
    const answer = answerSchema.parse(JSON.parse(stdout))
    const {home, version} = answer
    const problem = problemOf(answer)
    return problem === undefined ? {path, version, home} : {path, version, home, problem}
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof MlvError && error.code === 'MLV_TOOL_MISSING')
      return {path, problem: 'is not there, or may not be started'}
    if (error instanceof MlvError && error.code === 'MLV_TOOL_TIMEOUT')
      return {path, problem: `gives no answer within ${START_DEADLINE_MS / 1000} s`}
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      return {path, problem: 'is no Python: it gives no sensible answer'}
    throw error
  }
}

function problemOf({bits, kind, lacks, version}: z.output<typeof answerSchema>): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major !== 3 || minor < OLDEST_MINOR || minor > NEWEST_MINOR) return `is ${version}; 3.10 to 3.13 are supported`
  if (kind !== 'CPython') return `is ${kind}, not CPython`
  if (bits !== 64) return 'is a 32-bit build'
  return lacks.length > 0 ? `was built without ${lacks.join(', ')}` : undefined
}

/** What a shim says first may be its shell's complaint about the locale, which is never why it does not start. */
function firstReason(stderr: string): string | undefined {
  return stderr
    .split('\n')
    .map(line => line.trim())
    .find(line => line !== '' && !/setlocale|cannot change locale/.test(line))
}
