import {createWriteStream} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import type {IncomingMessage} from 'node:http'
import {dirname} from 'node:path'
import {pipeline} from 'node:stream/promises'
import {z} from 'zod'

import {MlvError} from '../errors.js'
import {bodyOf} from '../tools/http.js'
import type {MlflowHttp} from './http.js'

export interface Artifact {
  /** Relative to the folder that was listed's root, with slashes. */
  readonly path: string
  readonly isFolder: boolean
  readonly bytes: number
}

const listing = z.object({
  files: z
    .array(
      z.object({
        path: z.string(),
        is_dir: z.boolean().default(false),
        file_size: z.union([z.number(), z.string().transform(Number)]).default(0),
      }),
    )
    .default([]),
})

const TRANSFER_TIMEOUT_MS = 600_000
const ROOT = '/api/2.0/mlflow-artifacts/artifacts'

/** Files of a run, through the server; `uri` is the run's `artifactUri`. */
export function artifactsApi(http: MlflowHttp) {
  const api = {
    /** Writes one file; writing it again replaces it. */
    async upload(uri: string, path: string, content: Uint8Array<ArrayBuffer> | string): Promise<void> {
      await http.json('PUT', `${ROOT}/${encodePath(`${folderOf(uri)}/${path}`)}`, {
        bytes: content,
        needs: 'EDIT on the experiment of the run',
        timeoutMs: TRANSFER_TIMEOUT_MS,
      })
    },

    /** What lies directly in a folder. */
    async list(uri: string, path = ''): Promise<Artifact[]> {
      const folder = path === '' ? folderOf(uri) : `${folderOf(uri)}/${path}`
      const answer = listing.parse(
        await http.json('GET', ROOT, {query: {path: folder}, needs: 'READ on the experiment of the run'}),
      )
      return answer.files.map(file => ({
        path: path === '' ? file.path : `${path}/${file.path}`,
        isFolder: file.is_dir,
        bytes: file.file_size,
      }))
    },

    /** Every file in a folder and below. */
    async walk(uri: string, path = ''): Promise<Artifact[]> {
      const here = await api.list(uri, path)
      const below = await Promise.all(here.filter(entry => entry.isFolder).map(entry => api.walk(uri, entry.path)))
      return [...here.filter(entry => !entry.isFolder), ...below.flat()]
    },

    async read(uri: string, path: string): Promise<Uint8Array<ArrayBuffer>> {
      return bodyOf(await get(http, uri, path))
    },

    /** Removes a file, or a folder with all that is in it. */
    async remove(uri: string, path = ''): Promise<void> {
      const target = path === '' ? folderOf(uri) : `${folderOf(uri)}/${path}`
      await http.json('DELETE', `${ROOT}/${encodePath(target)}`, {needs: 'MANAGE on the experiment of the run'})
    },

    /** Streams one file to this machine. */
    async download(uri: string, path: string, target: string): Promise<void> {
      const response = await get(http, uri, path)
      await mkdir(dirname(target), {recursive: true})
      await pipeline(response, createWriteStream(target))
    },
  }
  return api
}

function get(http: MlflowHttp, uri: string, path: string): Promise<IncomingMessage> {
  return http.response('GET', `${ROOT}/${encodePath(`${folderOf(uri)}/${path}`)}`, {
    needs: 'READ on the experiment of the run',
    timeoutMs: TRANSFER_TIMEOUT_MS,
  })
}

/** `mlflow-artifacts:/1/abc/artifacts` → `1/abc/artifacts`. */
function folderOf(uri: string): string {
  const match = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+?)\/?$/.exec(uri)
  if (match?.[1] === undefined) {
    throw new MlvError('MLV_MLFLOW_ARTIFACTS', `The artifacts at ${uri} are not served by MLflow itself.`, {
      tryThis: ['Use an experiment that was created on this server.'],
    })
  }
  return match[1]
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
