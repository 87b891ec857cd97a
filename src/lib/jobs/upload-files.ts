import {lstat, readdir, realpath, stat} from 'node:fs/promises'
import {join, relative, resolve, sep} from 'node:path'

import {describeFileError, MlvError} from '../errors.js'
import {formatBytes} from '../ui/duration.js'
import {addRulesOf, leftOutBy, type Rules, rulesAbove} from './upload-rules.js'

export interface UploadFile {
  /** Relative, with slashes. */
  readonly path: string
  readonly source: string
  readonly bytes: number
  readonly executable: boolean
}

export interface LeftOut {
  /** Relative, with slashes; a folder ends with one. */
  readonly path: string
  readonly rule: string
}

/** What a job brings along of a folder, and what stays behind by which rule. */
export interface UploadList {
  readonly folder: string
  readonly files: readonly UploadFile[]
  readonly leftOut: readonly LeftOut[]
  readonly bytes: number
}

/** Ray's own limits are higher, but a bigger upload means that data is among the code. */
export const MAX_UPLOAD_BYTES = 100 * 1024 * 1024

/** Lists what is sent of a folder. Refuses more than 100 MiB, naming what takes the room. */
export async function listUpload(folder: string): Promise<UploadList> {
  const root = await realpath(folder)
  const files: UploadFile[] = []
  const leftOut: LeftOut[] = []
  await walk({root, files, leftOut}, root, '', await rulesAbove(root), [root])
  files.sort(byPath)
  leftOut.sort(byPath)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes > MAX_UPLOAD_BYTES) throw tooBig(files, bytes)
  return {folder: root, files, leftOut, bytes}
}

interface Walk {
  readonly root: string
  readonly files: UploadFile[]
  readonly leftOut: LeftOut[]
}

/** `above` holds the real folders on the way here, so that a link to one of them is no endless road. */
async function walk(
  state: Walk,
  folder: string,
  prefix: string,
  outer: Rules,
  above: readonly string[],
): Promise<void> {
  const rules = await addRulesOf(folder, outer)
  const names = await readdir(folder).catch((error: unknown) => {
    throw describeFileError(error, folder)
  })
  for (const name of names) {
    const source = join(folder, name)
    const path = prefix + name
    const entry = await lstat(source)
    const target = entry.isSymbolicLink() ? await linkTarget(state.root, source, above) : {real: source, problem: ''}
    if (target.problem) {
      state.leftOut.push({path, rule: target.problem})
      continue
    }
    const found = entry.isSymbolicLink() ? await stat(source) : entry
    const rule = await leftOutBy(source, found.isDirectory(), rules)
    if (rule !== undefined) state.leftOut.push({path: found.isDirectory() ? `${path}/` : path, rule})
    else if (found.isDirectory()) await walk(state, source, `${path}/`, rules, [...above, target.real])
    else if (found.isFile()) {
      state.files.push({path, source, bytes: found.size, executable: (found.mode & 0o100) !== 0})
    } else state.leftOut.push({path, rule: 'neither a file nor a folder'})
  }
}

async function linkTarget(root: string, link: string, above: readonly string[]) {
  const real = await realpath(link).catch(() => undefined)
  if (real === undefined) return {real: link, problem: 'a link that leads nowhere'}
  if (real !== root && !real.startsWith(root + sep)) return {real, problem: 'a link that leads out of the folder'}
  return {real, problem: above.includes(real) ? 'a link to a folder that it lies in' : ''}
}

/** An error when an argument of the command is a file that stays behind: the job would not find it. */
export function checkNamed(list: UploadList, argv: readonly string[]): void {
  for (const argument of argv) {
    for (const text of [argument, argument.slice(argument.indexOf('=') + 1)]) {
      const path = relative(list.folder, resolve(list.folder, text)).split(sep).join('/')
      const out = list.leftOut.find(entry => entry.path === path || `${path}/`.startsWith(folderPath(entry.path)))
      if (!out || path === '') continue
      throw new MlvError('MLV_UPLOAD_LEFT_OUT', `The command names ${text}, which is not sent (${out.rule}).`, {
        // A file in a folder that is left out comes back only with that folder.
        tryThis: [
          out.rule.includes('ignore:') ? `echo '!${out.path}' >> .mlvignore` : `cp ${text} a-name-that-is-sent`,
        ],
      })
    }
  }
}

function folderPath(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}

function tooBig(files: readonly UploadFile[], bytes: number): MlvError {
  const largest = [...files].sort((a, b) => b.bytes - a.bytes).slice(0, 5)
  return new MlvError(
    'MLV_UPLOAD_TOO_BIG',
    `The folder holds ${formatBytes(bytes)} to send; a job may bring at most ${formatBytes(MAX_UPLOAD_BYTES)}.`,
    {
      details: ['The largest:', ...largest.map(file => `${formatBytes(file.bytes).padStart(10)}  ${file.path}`)],
      tryThis: [`echo '${largest[0]?.path ?? 'data/'}' >> .mlvignore`],
    },
  )
}

function byPath(a: {path: string}, b: {path: string}): number {
  return a.path < b.path ? -1 : 1
}
