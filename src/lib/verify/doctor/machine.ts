import {constants} from 'node:fs'
import {access, readdir} from 'node:fs/promises'
import {availableParallelism, cpus, freemem, tmpdir, totalmem} from 'node:os'
import {dirname, join} from 'node:path'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {diskSpace, LEAST_FREE_BYTES} from '../../tools/disk-space.js'
import type {Check, Finding} from './check.js'
import {availableMemory} from './memory.js'

const GIB = 1024 ** 3
// MLflow with its workers takes about 0.5 GiB, a Ray head with its workers 1.5 GiB, a training job with PyTorch 1 GiB.
const WANTED_MEMORY = 4 * GIB
const LEAST_MEMORY = 2 * GIB
// The environment with PyTorch for the CPU is about 2 GiB unpacked and 1 GiB of wheels; with CUDA three times that.
const ENVIRONMENT_DISK = 3 * GIB
// The environment with CUDA, and room for checkpoints.
const ENVIRONMENT_WANTED_DISK = 8 * GIB
const WANTED_DISK = 3 * GIB
const LEAST_SHARED_MEMORY = GIB
const GPU_DEADLINE_MS = 10_000

export const machineChecks: readonly Check[] = [
  {
    id: 'cpu',
    title: 'CPU',
    group: 'Machine',
    look: async () => ({
      state: 'good',
      found: `${availableParallelism()} x ${cpus()[0]?.model.trim() || process.arch}`,
    }),
  },
  {id: 'memory', title: 'Memory', group: 'Machine', look: () => lookAtMemory()},
  {id: 'disk', title: 'Disk', group: 'Machine', look: ({context}) => lookAtDisks(context)},
  {id: 'shared-memory', title: 'Shared memory', group: 'Machine', look: () => lookAtSharedMemory()},
  {id: 'gpu', title: 'GPU', group: 'Machine', look: ({context}) => lookAtGpu(context)},
  {id: 'locale', title: 'Locale', group: 'Machine', look: async ({context}) => lookAtLocale(context)},
]

async function lookAtMemory(): Promise<Finding> {
  const {available, limit} = await availableMemory({free: freemem(), total: totalmem()})
  const found = `${gib(available)} available of ${gib(limit)}`
  if (available >= WANTED_MEMORY) return {state: 'good', found}
  const fix = ['Close other programs, or stop what else runs in this container or machine.']
  if (available >= LEAST_MEMORY)
    return {state: 'warning', found: `${found}; 4 GiB let MLflow, Ray and a job run well`, fix}
  return {state: 'bad', found: `${found}; MLflow, Ray and a job need 2 GiB at least`, fix}
}

async function lookAtDisks(context: Context): Promise<Finding> {
  const environments = join(context.folders.cache, 'envs')
  const isBuilt = (await readdir(environments).catch(() => [])).length > 0
  const folders: [use: string, folder: string, least: number][] = [
    ['project', context.projectDir, LEAST_FREE_BYTES],
    ['environments', environments, isBuilt ? 0 : ENVIRONMENT_DISK],
    ["Ray's sessions", tmpdir(), LEAST_FREE_BYTES],
  ]
  const disks = new Map<number, DiskUse>()
  for (const [use, folder, least] of folders) {
    const path = await nearestFolder(folder)
    const {disk: key, ...space} = await diskSpace(path)
    const disk = disks.get(key) ?? {uses: [], path, least, ...space}
    disks.set(key, {...disk, uses: [...disk.uses, use], least: Math.max(disk.least, least)})
  }
  const {path, ...finding} = judgeDisks([...disks.values()])
  if (path === undefined) return finding
  return {...finding, fix: [`df -h ${JSON.stringify(path)}`, `du -sh ${JSON.stringify(context.folders.cache)}`]}
}

export interface DiskUse {
  readonly uses: readonly string[]
  readonly path: string
  readonly free: number
  readonly size: number
  /** Without so much, what is to be done there fails. */
  readonly least: number
}

/** By free bytes alone, however large a disk is. `path` is on the one to make room on. */
export function judgeDisks(disks: readonly DiskUse[]): Finding & {path?: string} {
  const found = disks.map(({free, size, uses}) => `${gib(free)} free of ${gib(size)} (${uses.join(', ')})`).join('; ')
  const short = disks.find(({free, least}) => free < least)
  if (short) {
    const need = short.least === ENVIRONMENT_DISK ? 'the Python environment' : 'a run'
    return {state: 'bad', found: `${found}; ${need} needs ${gib(short.least)}`, path: short.path}
  }
  const wanted = ({least}: DiskUse) => (least === ENVIRONMENT_DISK ? ENVIRONMENT_WANTED_DISK : WANTED_DISK)
  const tight = disks.find(disk => disk.free < wanted(disk))
  if (tight)
    return {state: 'warning', found: `${found}; ${gib(wanted(tight))} leave room for checkpoints`, path: tight.path}
  return {state: 'good', found}
}

async function lookAtSharedMemory(): Promise<Finding> {
  if (process.platform !== 'linux') return {state: 'note', found: 'Ray uses ordinary memory on this system'}
  try {
    await access('/dev/shm', constants.W_OK)
    const {free} = await diskSpace('/dev/shm')
    if (free >= LEAST_SHARED_MEMORY) return {state: 'good', found: `${gib(free)} free in /dev/shm`}
    return {
      state: 'warning',
      found: `${gib(free)} free in /dev/shm: Ray keeps its objects on the disk, which is slow`,
      fix: ['sudo mount -o remount,size=2G /dev/shm', 'In a container: start it with --shm-size=2g.'],
    }
  } catch {
    return {state: 'warning', found: '/dev/shm cannot be written: Ray keeps its objects on the disk, which is slow'}
  }
}

async function lookAtGpu(context: Context): Promise<Finding> {
  const query = ['nvidia-smi', '--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'] as const
  try {
    const {exitCode, stderr, stdout} = await context.exec.read(query, {reject: false, timeoutMs: GPU_DEADLINE_MS})
    const lines = stdout.trim().split('\n').filter(Boolean)
    if (exitCode === 0 && lines.length > 0) {
      return {state: 'good', found: lines.map(line => line.replace(/,\s*([\d.]+)$/, ', driver $1')).join('; ')}
    }
    return {
      state: 'warning',
      found: `nvidia-smi fails: ${(stderr || stdout).trim().split('\n')[0] || `exit code ${exitCode}`}`,
      fix: ['nvidia-smi', 'Install the NVIDIA driver of this system again, then restart it.'],
    }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof MlvError)) throw error
    if (error.code === 'MLV_TOOL_TIMEOUT') return {state: 'warning', found: error.message, fix: ['nvidia-smi']}
    const isAppleSilicon = process.platform === 'darwin' && process.arch === 'arm64'
    return {state: 'note', found: isAppleSilicon ? "Apple's, used by PyTorch as mps" : 'none: training runs on the CPU'}
  }
}

function lookAtLocale({environment}: Context): Finding {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || 'not set'
  if (/utf-?8/i.test(locale)) return {state: 'good', found: locale}
  return {
    state: 'note',
    found: `${locale}: mlv and its jobs write UTF-8 all the same; this terminal may not show every character`,
    fix: ['export LANG=C.UTF-8'],
  }
}

async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (folder === dirname(folder)) return folder
    try {
      await access(folder)
      return folder
    } catch {
      // Not there yet: its parent's disk is where it will be made.
    }
  }
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0)} GiB`
}
