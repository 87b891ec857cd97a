import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../context.js'
import {digestOf} from '../tools/packages.js'

/** By the names that a profile has for them under `images`. */
export const imageIds = ['mlflow', 'train'] as const
export type ImageId = (typeof imageIds)[number]

/** What an image is made of, besides its Dockerfile: files and folders of the package. */
const inputs: Readonly<Record<ImageId, readonly string[]>> = {
  mlflow: ['python/requirements-mlflow.lock'],
  train: ['python/requirements.lock', 'python/torch-versions.json', 'python/src'],
}

/** What may be chosen about an image; a part of what its name tells apart. */
export interface ImageChoices {
  readonly base?: string | undefined
  /** An index with other builds of PyTorch. */
  readonly torchIndex?: string | undefined
}

export interface Image {
  readonly id: ImageId
  /** `mlv-mlflow:0.1.0-0123456789ab`: version, and a digest of all that it is made of. */
  readonly name: string
  readonly dockerfile: string
  readonly buildArgs: readonly string[]
}

export async function describeImage(
  {packageDir, version}: Pick<Context, 'packageDir' | 'version'>,
  id: ImageId,
  {base, torchIndex}: ImageChoices,
): Promise<Image> {
  const dockerfile = join(packageDir, 'docker', `${id}.Dockerfile`)
  const buildArgs = [
    ...(base === undefined ? [] : [`BASE=${base}`]),
    ...(torchIndex === undefined || id !== 'train' ? [] : [`TORCH_INDEX=${torchIndex}`]),
  ]
  const files = (await Promise.all(inputs[id].map(path => filesIn(packageDir, path)))).flat()
  const texts = await Promise.all([dockerfile, ...files.map(file => join(packageDir, file))].map(readText))
  const digest = digestOf([...buildArgs, ...files, ...texts]).slice(0, 12)
  return {id, name: `mlv-${id}:${version.replaceAll('+', '-')}-${digest}`, dockerfile, buildArgs}
}

const readText = (path: string) => readFile(path, 'utf8')

/** The file of that path, or what lies in the folder; Python's caches are no source. */
async function filesIn(packageDir: string, path: string): Promise<readonly string[]> {
  if (/\.(lock|json)$/.test(path)) return [path]
  const entries = await readdir(join(packageDir, path), {recursive: true, withFileTypes: true})
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(packageDir.replace(/\/$/, '').length + 1))
    .filter(file => !file.includes('__pycache__'))
    .sort()
}
