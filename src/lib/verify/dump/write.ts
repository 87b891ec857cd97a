import {open, rm} from 'node:fs/promises'
import {homedir} from 'node:os'
import {resolve} from 'node:path'

import {describeFileError, MlvError} from '../../errors.js'
import type {Patient} from '../doctor/check.js'
import {createRedactor} from '../redact.js'
import {knownSecrets} from './secrets.js'
import {collectSections} from './sections.js'

export interface DumpResult {
  readonly file: string
  readonly bytes: number
  readonly sections: readonly string[]
}

export interface DumpOptions extends Patient {
  /** Relative to where the person stands; a name with the time by default. */
  readonly output: string | undefined
}

/** Writes one text file for a bug report: what somebody else needs to understand this machine, without a secret. */
export async function writeDump(options: DumpOptions): Promise<DumpResult> {
  const {context} = options
  const [sections, secrets] = await Promise.all([collectSections(options), knownSecrets(context)])
  const redact = createRedactor(secrets)
  const home = context.environment.HOME || homedir()
  const text = sections.map(section => `## ${section.title}\n\n${section.text.trimEnd()}\n`).join('\n')
  const safe = redact(text).replaceAll(new RegExp(`${escaped(home)}(?=/|\\s|$)`, 'gm'), '~')
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  const file = resolve(context.cwd, options.output ?? `mlv-support-${stamp}.txt`)
  await writeNew(file, safe, context.command)
  return {file, bytes: Buffer.byteLength(safe), sections: sections.map(({title}) => title)}
}

async function writeNew(path: string, text: string, command: (line: string) => string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    const failure = await file.writeFile(text).then(
      () => undefined,
      (error: unknown) => error,
    )
    await file.close()
    if (failure !== undefined) {
      await rm(path, {force: true})
      throw failure
    }
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      throw new MlvError('MLV_USAGE', `${path} exists already; mlv does not write over it.`, {
        tryThis: [command('support dump')],
      })
    }
    if (code === 'ENOENT') throw new MlvError('MLV_USAGE', `There is no folder for ${path}.`)
    throw describeFileError(error, path)
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
