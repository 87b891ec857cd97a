import {createHash} from 'node:crypto'
import {mkdir, open, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as pause} from 'node:timers/promises'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {diskFull, MlvError} from '../../errors.js'
import {keepAside, writeFileAtomic} from '../../tools/atomic-file.js'
import {diskSpace} from '../../tools/disk-space.js'
import {isAlive, parentOf, processesWithVariable, startOfProcess, variableOf} from '../../tools/process-table.js'
import type {Secret} from '../../tools/secret.js'
import type {StepProgress} from '../../types/phase.js'
import type {ServiceName} from '../../types/target.js'
import {layoutOf} from './layout.js'

const recordSchema = z.object({
  pid: z.int().positive(),
  started: z.string(),
  config: z.string(),
})

export type ServiceRecord = z.output<typeof recordSchema>

export interface ServiceStart {
  readonly name: ServiceName
  readonly python: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | Secret | undefined>>
  /** What makes a running one out of date when it changes. */
  readonly config: string
  /** Whether it answers by now. */
  isUp(): Promise<boolean>
  readonly deadlineSeconds: number
}

const serviceNames: readonly ServiceName[] = ['mlflow', 'ray']
const GRACE_MS = 10_000
/** Less than a database can grow by. */
const FULL_BELOW_BYTES = 64 * 1024

export function configDigest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/** The record of a service that lives, from what runs where the file is lost or damaged; undefined where none lives. */
export async function livingService(context: Context, name: ServiceName): Promise<ServiceRecord | undefined> {
  const record = await readRecord(context, name)
  if (record === undefined) return await findService(context, name)
  return (await isAlive(context.exec, record)) ? record : undefined
}

async function readRecord(context: Context, name: ServiceName): Promise<ServiceRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(layoutOf(context).record(name), 'utf8')))
  } catch {
    return undefined
  }
}

/** Services that run without a record that can be read. */
export async function servicesWithoutRecord(context: Context): Promise<readonly ServiceName[]> {
  const found = await Promise.all(
    serviceNames.map(async name => {
      const isLost = (await readRecord(context, name)) === undefined && (await findService(context, name)) !== undefined
      return isLost ? [name] : []
    }),
  )
  return found.flat()
}

/** Writes them anew from what runs: a head that works on jobs is not to be started again for the loss of a file. */
export async function mendRecords(context: Context): Promise<void> {
  for (const name of await servicesWithoutRecord(context)) {
    const [file, record] = [layoutOf(context).record(name), await findService(context, name)]
    const aside = await keepAside(file)
    if (aside) context.reporter.warn(`${file} was damaged. It is kept as ${aside}, and made anew from what runs.`)
    if (record) await writeFileAtomic(file, JSON.stringify(record))
  }
}

/** The service by the mark in its environment: the first of its processes whose parent does not bear the mark. */
async function findService(context: Context, name: ServiceName): Promise<ServiceRecord | undefined> {
  const {exec} = context
  const pids = await processesOf(context, name)
  const roots = await Promise.all(
    [...pids].map(async pid => {
      const [parent, started, config] = await Promise.all([
        parentOf(exec, pid),
        startOfProcess(exec, pid),
        variableOf(exec, pid, 'MLV_SERVICE_CONFIG'),
      ])
      if (parent === undefined || pids.has(parent) || started === undefined || config === undefined) return []
      return [{pid, started, config}]
    }),
  )
  return roots.flat().sort((a, b) => a.pid - b.pid)[0]
}

/** Everything that carries the mark of this profile's service. */
async function processesOf(context: Context, name: ServiceName): Promise<ReadonlySet<number>> {
  const [marked, ofService] = await Promise.all([
    processesWithVariable(context.exec, 'MLV_STATE_DIR', context.stateDir),
    processesWithVariable(context.exec, 'MLV_SERVICE', name),
  ])
  const pids = new Set(ofService.map(({pid}) => pid))
  return new Set(marked.map(({pid}) => pid).filter(pid => pids.has(pid)))
}

/** Starts a service in a session of its own, so that it outlives mlv, and waits until it answers. */
export async function startService(context: Context, start: ServiceStart, progress: StepProgress): Promise<void> {
  const layout = layoutOf(context)
  await stopService(context, start.name)
  await mkdir(layout.services, {recursive: true, mode: 0o700})
  await mkdir(layout.logs, {recursive: true, mode: 0o700})
  const log = await open(layout.log(start.name), 'a', 0o600)
  const {size: logStart} = await log.stat()
  await log.close()
  // execa is not the door here: this process has to outlive mlv, and its output goes to a file.
  const {launchDetached} = await import('../../tools/launch.js')
  launchDetached({
    argv: [
      start.python,
      join(context.packageDir, 'python/launcher.py'),
      layout.record(start.name),
      layout.log(start.name),
      start.python,
      ...start.argv,
    ],
    cwd: layout.root,
    environment: context.environment,
    env: {...start.env, MLV_STATE_DIR: context.stateDir, MLV_SERVICE: start.name, MLV_SERVICE_CONFIG: start.config},
  })
  await waitUntilUp(context, start, logStart, progress)
}

async function waitUntilUp(context: Context, start: ServiceStart, logStart: number, progress: StepProgress) {
  const began = performance.now()
  const deadline = began + start.deadlineSeconds * 1000
  let wasSeen = false
  while (performance.now() < deadline) {
    context.signal.throwIfAborted()
    if (await start.isUp()) return
    const living = await livingService(context, start.name)
    wasSeen ||= living !== undefined
    const seconds = (performance.now() - began) / 1000
    if (wasSeen && !living) throw await diedError(context, start.name, logStart, 'ended before it answered')
    if (seconds > 2) progress.update(`starting for ${seconds.toFixed(0)} s; log: ${layoutOf(context).log(start.name)}`)
    await pause(100, undefined, {signal: context.signal}).catch(() => undefined)
  }
  throw await diedError(context, start.name, logStart, `does not answer after ${start.deadlineSeconds} s`)
}

/** Why a service did not come up, in its own words but without its stack; a full disk is said as what it is. */
async function diedError(context: Context, name: ServiceName, logStart: number, what: string): Promise<MlvError> {
  const {log, root} = layoutOf(context)
  const text = (await readFile(log(name)).catch(() => Buffer.alloc(0))).subarray(logStart).toString('utf8')
  const left = await diskSpace(root).then(
    ({free}) => free,
    () => Number.POSITIVE_INFINITY,
  )
  // On a full disk the log itself may lack the words.
  if (left < FULL_BELOW_BYTES || /No space left on device|disk is full|Disk quota exceeded/.test(text)) {
    return diskFull(root)
  }
  const title = {mlflow: 'The MLflow server', ray: 'The Ray head'}[name]
  return new MlvError('MLV_SERVICE_START', `${title} ${what}.`, {
    details: tellingLines(text),
    tryThis: [context.command(`logs ${name} --tail 100`), context.command('doctor')],
  })
}

function tellingLines(log: string): string[] {
  const isStack = (line: string) => /^\s|^Traceback |^The above exception|^During handling|^\s*[\^~]+\s*$/.test(line)
  return log
    .split('\n')
    .filter(line => line.trim() !== '' && !isStack(line))
    .slice(-6)
    .map(line => line.slice(0, 300))
}

/** Ends a service and everything that it started: asks the group, waits, then kills what carries the mark. */
export async function stopService(context: Context, name: ServiceName): Promise<void> {
  const mine = async () => [...(await processesOf(context, name))]
  const record = await livingService(context, name)
  const first = new Set(await mine())
  if (record) first.add(record.pid)
  for (const pid of first) signalProcess(pid, 'SIGTERM')
  const deadline = performance.now() + GRACE_MS
  let left = await mine()
  while (left.length > 0) {
    if (performance.now() > deadline) for (const pid of left) signalProcess(pid, 'SIGKILL')
    await pause(50)
    left = await mine()
  }
  await rm(layoutOf(context).record(name), {force: true})
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
