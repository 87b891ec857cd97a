import {randomBytes} from 'node:crypto'
import {link, mkdir, readdir, readFile, rm} from 'node:fs/promises'
import {hostname} from 'node:os'
import {join} from 'node:path'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {describeFileError, MlvError} from '../../errors.js'
import {writeFileAtomic} from '../../tools/atomic-file.js'
import {isAlive, startOfProcess} from '../../tools/process-table.js'
import type {Lock} from '../../types/state.js'

const holderSchema = z.object({
  pid: z.int(),
  /** Tells the process from a later one with the same number. */
  started: z.string(),
  host: z.string(),
  user: z.string(),
  since: z.iso.datetime(),
  command: z.string(),
  released: z.boolean(),
})

type LockHolder = z.infer<typeof holderSchema>

/**
 * The lock is a folder of numbered files; the highest number holds. A file appears whole (it is linked into place) and
 * the highest is never removed, only marked as released, so numbers only grow. That is what makes taking over from a
 * dead holder safe when two try at once: both want the same next number, and one gets it.
 */
export async function acquireLock(context: Context, command: string): Promise<Lock> {
  const folder = join(context.stateDir, 'lock')
  const started = await startOfProcess(context.exec, process.pid)
  const mine: LockHolder = {
    pid: process.pid,
    started: started ?? '',
    host: hostname(),
    user: context.user,
    since: new Date().toISOString(),
    command,
    released: false,
  }
  for (;;) {
    const {generation, holder} = await readLock(folder)
    if (holder && (await isHeld(context, holder))) throw lockedError(holder, lockFile(folder, generation))
    const next = generation + 1
    if (!(await claim(folder, next, mine))) continue
    // A slow competitor may have claimed a number that was already history; whoever sees a higher one steps back.
    if ((await readLock(folder)).generation > next) {
      await rm(lockFile(folder, next), {force: true})
      continue
    }
    await removeBelow(folder, next)
    return {
      ...(holder && !holder.released ? {takenOverFrom: holder} : {}),
      // On a full disk it stays: of a process that has ended, it keeps nobody out, and the failure itself is what counts.
      release: () =>
        writeFileAtomic(lockFile(folder, next), JSON.stringify({...mine, released: true})).catch(() => undefined),
    }
  }
}

/** Throws MLV_LOCKED when somebody alive holds the lock; takes nothing. */
export async function ensureUnlocked(context: Context): Promise<void> {
  const folder = join(context.stateDir, 'lock')
  const {generation, holder} = await readLock(folder)
  if (holder && (await isHeld(context, holder))) throw lockedError(holder, lockFile(folder, generation))
}

async function isHeld(context: Context, holder: LockHolder): Promise<boolean> {
  if (holder.released) return false
  // Of another machine's processes nothing is known here.
  if (holder.host !== hostname()) return true
  return isAlive(context.exec, holder)
}

async function readLock(folder: string): Promise<{generation: number; holder?: LockHolder}> {
  const names = await readdir(folder).catch(() => [] as string[])
  const generation = Math.max(0, ...names.map(name => Number(/^(\d+)\.json$/.exec(name)?.[1] ?? 0)))
  if (generation === 0) return {generation}
  const text = await readFile(lockFile(folder, generation), 'utf8').catch(() => '')
  try {
    return {generation, holder: holderSchema.parse(JSON.parse(text))}
  } catch {
    // Damaged by somebody else: it names nobody who could still hold it.
    return {generation}
  }
}

async function claim(folder: string, generation: number, mine: LockHolder): Promise<boolean> {
  const draft = join(folder, `draft.${process.pid}.${randomBytes(4).toString('hex')}`)
  try {
    await mkdir(folder, {recursive: true, mode: 0o700})
    await writeFileAtomic(draft, JSON.stringify(mine))
    await link(draft, lockFile(folder, generation))
    return true
  } catch (error) {
    // EEXIST: somebody was faster. ENOENT: somebody who took the lock cleared our draft away.
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw describeFileError(error, folder)
  } finally {
    await rm(draft, {force: true}).catch(() => undefined)
  }
}

async function removeBelow(folder: string, generation: number): Promise<void> {
  const names = await readdir(folder)
  const old = names.filter(name => !name.endsWith('.json') || Number.parseInt(name, 10) < generation)
  await Promise.all(old.filter(isLeftBehind).map(name => rm(join(folder, name), {force: true})))
}

/** Numbered files below ours, and drafts; a draft of a competitor that is removed only makes it try again. */
function isLeftBehind(name: string): boolean {
  return /^\d+\.json$/.test(name) || name.startsWith('draft.')
}

function lockFile(folder: string, generation: number): string {
  return join(folder, `${String(generation).padStart(6, '0')}.json`)
}

function lockedError(holder: LockHolder, path: string): MlvError {
  const isHere = holder.host === hostname()
  return new MlvError(
    'MLV_LOCKED',
    `This profile is locked by \`${holder.command}\` (pid ${holder.pid} of ${holder.user} on ${holder.host}, since ${holder.since}).`,
    {
      tryThis: isHere
        ? ['Wait until it ends, then run the command again.', `ps -p ${holder.pid}`]
        : [`If nothing runs on ${holder.host} any more: rm ${JSON.stringify(path)}`],
    },
  )
}
