import {readFile, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {z} from 'zod'

import {writeFileAtomic} from '../tools/atomic-file.js'
import type {PhaseId} from '../types/phase.js'

/** What a phase found out and later runs use. Never a secret: those are kept by the target. */
export async function readOutputs<T>(stateDir: string, phase: PhaseId, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(outputsPath(stateDir, phase), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parse(text, schema)
}

/** Replaces what was there; a file that is damaged is kept aside, so that nothing of somebody else's is lost. */
export async function writeOutputs<T>(
  stateDir: string,
  phase: PhaseId,
  schema: z.ZodType<T>,
  values: T,
): Promise<void> {
  const path = outputsPath(stateDir, phase)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text !== undefined && parse(text, schema) === undefined) {
    await rename(path, `${path}.corrupt-${new Date().toISOString().replaceAll(':', '-')}`)
  }
  await writeFileAtomic(path, `${JSON.stringify(values, undefined, 2)}\n`)
}

export async function removeOutputs(stateDir: string, phase: PhaseId): Promise<void> {
  await rm(outputsPath(stateDir, phase), {force: true})
}

export function outputsPath(stateDir: string, phase: PhaseId): string {
  return join(stateDir, 'outputs', `${phase}.json`)
}

function parse<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
