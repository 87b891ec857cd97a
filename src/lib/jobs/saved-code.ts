import {z} from 'zod'

import {isMissing} from '../mlflow/mlflow-error.js'
import type {Run} from '../mlflow/runs.js'
import type {PlannedUpload} from './plan.js'
import type {Platform} from './platform.js'
import {files} from './save-record.js'
import {packageOf} from './upload-package.js'

const savedUpload = z.object({
  bytes: z.number(),
  files: z.array(z.object({path: z.string(), bytes: z.number()})),
  left_out: z.array(z.object({path: z.string(), rule: z.string()})),
})

/** Reads one of the run's files; undefined where it was not saved. */
export type Read = (path: string) => Promise<Buffer<ArrayBuffer> | undefined>

export async function readerOf(platform: Platform, run: Run): Promise<Read> {
  const {artifacts} = await platform.mlflow()
  return async path => {
    try {
      return Buffer.from((await artifacts.read(run.artifactUri, path)).buffer)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}

/** The code that went along with a job, from its run; null where what was sent is not there any more. */
export async function savedCode(read: Read): Promise<PlannedUpload | undefined | null> {
  const [text, code] = await Promise.all([read(files.upload), read(files.code)])
  if (!text) return null
  const list = savedUpload.parse(JSON.parse(text.toString()))
  if (!code) return list.files.length > 0 ? null : undefined
  return {
    list: {bytes: list.bytes, files: list.files, leftOut: list.left_out},
    pack: async () => packageOf(new Uint8Array(code)),
  }
}
