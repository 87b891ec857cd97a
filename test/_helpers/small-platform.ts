import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readFileSync, rmSync} from 'node:fs'
import {mkdir, mkdtemp, realpath} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {root} from './source-tree.js'

export const driver = join(root, 'test/_helpers/kill-matrix-driver.mjs')
export const node = join(root, 'node_modules/node/bin/node')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** Where the platforms of a test file lie, all removed by one `rm`. */
export async function platformsFolder(): Promise<string> {
  return realpath(await mkdtemp(join(tmpdir(), 'mlv-platforms-')))
}

/** A folder for one platform of the driver's, which is made of files alone. */
export async function platformFolder(parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, 'p-'))
  await mkdir(join(folder, 'platform'))
  return folder
}

export function start(folder: string, env: Record<string, string> = {}, command = 'setup'): Running {
  const child = spawn(node, [driver, command], {
    cwd: folder,
    env: {PATH: process.env.PATH, HOME: folder, ...env},
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = once(child, 'close').then(([code, signal]) => ({code, signal, stderr}))
  return {child, ended}
}

export async function run(folder: string, env?: Record<string, string>, command?: string): Promise<Ended> {
  return start(folder, env, command).ended
}

/** Waits for a condition, not for a time; fails with what it waited for. */
export async function until(what: string, condition: () => boolean, deadlineMs = 60_000): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    if (process.platform === 'linux') return false
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }
}

/** What stands in the end: every file of the platform, and what a further setup says of each phase. */
export async function finalState(folder: string): Promise<unknown> {
  for (const name of readdirSync(join(folder, 'platform'))) {
    if (/\.(held|asked)$/.test(name)) rmSync(join(folder, 'platform', name))
  }
  const {code} = await run(folder)
  const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))
  const files = readdirSync(join(folder, 'platform')).sort()
  return {
    code,
    outcome: result.outcome,
    phases: result.phases.map(({id, outcome, why}: Record<string, unknown>) => ({id, outcome, why})),
    files: files.map(name => [name, readFileSync(join(folder, 'platform', name), 'utf8')]),
  }
}

/** The pid of the program that holds a step; undefined until it is there. */
export function heldPid(folder: string, step: string): number | undefined {
  const path = join(folder, 'platform', `${step.replace('/', '.')}.held`)
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) || undefined : undefined
}
