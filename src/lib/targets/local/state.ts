import {lstat, readFile, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {z} from 'zod'

import type {Context} from '../../context.js'
import {writeFileAtomic} from '../../tools/atomic-file.js'
import type {RecordKey, StateStore} from '../../types/state.js'
import {acquireLock, ensureUnlocked} from './lock.js'

/** Files in the profile's state folder. */
export function localState(context: Context): StateStore {
  const path = (key: RecordKey) => join(context.stateDir, 'outputs', `${key}.json`)
  const text = (key: RecordKey) => readFile(path(key), 'utf8').catch(() => undefined)
  return {
    lock: command => acquireLock(context, command),
    ensureUnlocked: () => ensureUnlocked(context),
    async read(key, schema) {
      const found = await text(key)
      return found === undefined ? undefined : parse(found, schema)
    },
    /** A file that is damaged is kept aside, so that nothing of somebody else's is lost. */
    async write(key, schema, values) {
      const found = await text(key)
      if (found !== undefined && parse(found, schema) === undefined) {
        await rename(path(key), `${path(key)}.corrupt-${new Date().toISOString().replaceAll(':', '-')}`)
      }
      await writeFileAtomic(path(key), `${JSON.stringify(values, undefined, 2)}\n`)
    },
    remove: key => rm(path(key), {force: true}),
    isThere: () =>
      lstat(context.stateDir).then(
        () => true,
        () => false,
      ),
  }
}

function parse<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
