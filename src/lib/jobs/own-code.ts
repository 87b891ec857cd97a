import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../context.js'
import type {RayClient} from './ray-client.js'
import {type Package, pack, upload} from './upload-package.js'

/** Sends mlvision to where the files of this machine are not; undefined where it is found by its path. */
export async function sendOwnCode({packageDir}: Context, ray: RayClient): Promise<string | undefined> {
  return ray.endpoint.isElsewhere ? (await upload(ray, await ownCodePackage({packageDir}))).uri : undefined
}

export async function ownCodePackage({packageDir}: Pick<Context, 'packageDir'>): Promise<Package> {
  const root = join(packageDir, 'python', 'src')
  const entries = await readdir(root, {recursive: true, withFileTypes: true})
  const files = entries
    .filter(entry => entry.isFile() && /\.(py|json)$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
    .map(source => ({source, path: source.slice(root.length + 1), bytes: 0, executable: false}))
  return pack({folder: root, files, bytes: 0, leftOut: []})
}
