import {randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {keepAside, writeFileAtomic} from '../../tools/atomic-file.js'
import {Secret} from '../../tools/secret.js'
import type {Credential} from '../../types/target.js'
import {layoutOf} from './layout.js'

const credentialSchema = z.strictObject({username: z.string().min(1), password: z.string().min(1)})

/** Reads a 0600 file of a name and a password; undefined where there is none or it is damaged. */
export async function readCredential(context: Context, username: string): Promise<Credential | undefined> {
  const text = await readFile(fileOf(context, username), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const {password, username: name} = credentialSchema.parse(JSON.parse(text))
    return {username: name, password: new Secret(password)}
  } catch {
    return undefined
  }
}

export async function saveCredential(context: Context, {password, username}: Credential): Promise<void> {
  if (!(await readCredential(context, username))) await warnDamaged(context, fileOf(context, username))
  await writeFileAtomic(fileOf(context, username), `${JSON.stringify({username, password: password.reveal()})}\n`)
}

/** Where the profile's jobs read it. */
export function fileOf(context: Context, username: string): string {
  return layoutOf(context).credential(`${username}.json`)
}

/** A token or key that is made once and stays; 32 bytes as hexadecimal digits. */
export async function readOrMakeKey(context: Context, name: string): Promise<Secret> {
  const path = layoutOf(context).credential(name)
  const known = await readKey(context, name)
  if (known) return known
  await warnDamaged(context, path)
  const made = randomBytes(32).toString('hex')
  await writeFileAtomic(path, made)
  return new Secret(made)
}

export async function readKey(context: Context, name: string): Promise<Secret | undefined> {
  const text = await readFile(layoutOf(context).credential(name), 'utf8').catch(() => '')
  return /^[0-9a-f]{64}$/.test(text) ? new Secret(text) : undefined
}

/** Says that a file which cannot be read is kept, before a new one takes its place. */
export async function warnDamaged(context: Context, path: string): Promise<void> {
  const aside = await keepAside(path)
  if (aside) context.reporter.warn(`${path} was damaged. It is kept as ${aside}, and made anew.`)
}
