import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {digestOf, lockedPackages, requirementsPath} from '../../tools/packages.js'
import {type FoundPython, findPythons} from '../../tools/python.js'
import type {Packages} from '../../types/target.js'
import {layoutOf} from './layout.js'

const recordSchema = z.strictObject({python: z.string(), digest: z.string()})

/** What an environment has to hold; two projects with the same one share it. */
export interface WantedEnvironment {
  readonly base: FoundPython
  readonly torch: Readonly<Record<string, string>>
  /** One of uv's torch back ends; undefined takes the default index. */
  readonly torchBackend: string | undefined
  readonly folder: string
  /** The text of the lock that goes into it. */
  readonly lock: string
  readonly requirements?: {readonly path: string; readonly folder: string; readonly text?: string}
}

const PYTORCH_CPU = 'https://download.pytorch.org/whl/cpu/'

/** The interpreter of the profile's environment as phase 01 wrote it down; undefined where that is out of date. */
export async function readEnvironmentRecord(
  context: Context,
  {isAnyDigest = false} = {},
): Promise<{python: string} | undefined> {
  const text = await readFile(layoutOf(context).environment, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const {digest, python} = recordSchema.parse(JSON.parse(text))
    return isAnyDigest || digest === (await recordDigest(context)) ? {python} : undefined
  } catch {
    return undefined
  }
}

/** The interpreter of jobs and services. */
export async function jobPython(context: Context): Promise<string> {
  const record = await readEnvironmentRecord(context)
  if (record) return record.python
  throw new MlvError('MLV_PHASE_NEEDS', 'The Python environment is not there yet.', {
    tryThis: [context.command('setup --only 01')],
  })
}

/** Of all that decides which environment a profile has, without asking any Python: cheap enough for every look. */
export async function recordDigest(context: Context): Promise<string> {
  const {python} = context.profile.settings
  const requirements = requirementsPath(context)
  const parts = [
    await lockDigest(context),
    JSON.stringify(python),
    requirements === undefined ? '' : await readFile(requirements, 'utf8').catch(() => 'missing'),
  ]
  return digestOf(parts)
}

/**
 * Decides what the profile's environment is: which Python, which PyTorch, where it lies. With `saved` it is the one of an
 * earlier job, on today's Python.
 */
export async function wantedEnvironment(context: Context, saved?: Packages): Promise<WantedEnvironment> {
  const base = await choosePython(context)
  const torchBackend = await chooseTorch(context)
  const {lock, torch: torchText} = saved ?? (await lockedPackages(context))
  const torch = z.record(z.string(), z.string()).parse(JSON.parse(torchText))
  const id = digestOf([digestOf([lock, torchText]), base.version ?? '', base.home ?? '', torchBackend ?? 'default'])
  const folder = join(context.folders.cache, 'envs', id)
  const layerFolder = (text: string) => join(context.folders.cache, 'layers', digestOf([id, text]))
  const wanted = {base, torch, torchBackend, folder, lock}
  if (saved?.requirements !== undefined) {
    const text = saved.requirements
    const layer = layerFolder(text)
    return {...wanted, requirements: {path: join(layer, 'requirements.txt'), folder: layer, text}}
  }
  const path = saved ? undefined : requirementsPath(context)
  if (path === undefined) return wanted
  const text = await readFile(path, 'utf8').catch(error => {
    throw new MlvError('MLV_SETTINGS_FILE', `python.requirements names ${path}, which cannot be read.`, {cause: error})
  })
  return {...wanted, requirements: {path, folder: layerFolder(text)}}
}

async function choosePython(context: Context): Promise<FoundPython> {
  const pythons = await findPythons(context)
  const chosen = context.profile.settings.python.path
  if (chosen !== undefined) {
    const found = pythons.find(({path}) => path === chosen)
    if (found && found.problem === undefined) return found
    throw new MlvError(
      'MLV_PYTHON_BROKEN',
      `python.path of the profile: ${chosen} ${found?.problem ?? 'is not there'}.`,
      {
        tryThis: [context.command('doctor')],
      },
    )
  }
  const usable = pythons.filter(({problem}) => problem === undefined)
  // Most wheels, and most of the tests of others, are for 3.11 and 3.12.
  const best = ['3.11', '3.12', '3.13', '3.10'].flatMap(minor =>
    usable.filter(({version}) => version?.startsWith(`${minor}.`)),
  )[0]
  if (best) return best
  throw new MlvError('MLV_PYTHON_MISSING', 'No Python 3.10 to 3.13 that can be used is on PATH.', {
    details: pythons.map(({path, problem}) => `${path} ${problem}`),
    tryThis: ['sudo apt-get install python3 python3-venv', context.command('doctor')],
  })
}

/** `auto`: PyTorch's small build for CPUs where there is no NVIDIA GPU and its own index answers, else the default index. */
async function chooseTorch(context: Context): Promise<string | undefined> {
  const {torch} = context.profile.settings.python
  if (torch !== 'auto') return torch
  if (process.platform !== 'linux') return undefined
  const gpu = await context.exec.read(['nvidia-smi', '-L'], {reject: false, timeoutMs: 10_000}).catch(() => undefined)
  if (gpu?.exitCode === 0) return undefined
  const answer = await fetch(PYTORCH_CPU, {method: 'HEAD', signal: AbortSignal.timeout(2000)}).catch(() => undefined)
  return answer?.ok ? 'cpu' : undefined
}

async function lockDigest(context: Context): Promise<string> {
  const {lock, torch} = await lockedPackages(context)
  return digestOf([lock, torch])
}
