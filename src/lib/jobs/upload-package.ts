import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import type {Zippable} from 'fflate'

import type {RayClient} from './ray-client.js'
import type {UploadList} from './upload-files.js'

export interface Package {
  /** Holds the hash of the content: the same files are the same package. */
  readonly name: string
  readonly zip: Uint8Array<ArrayBuffer>
}

/** Zip has no time before 1980; one fixed time makes equal files an equal package. */
const TIME = new Date(1980, 0, 1)
const UNIX = 3

/** Packs a list of files so that equal content gives equal bytes. */
export async function pack(list: UploadList): Promise<Package> {
  const {zipSync} = await import('fflate')
  const tree: Zippable = {}
  for (const file of list.files) {
    const mode = file.executable ? 0o100755 : 0o100644
    tree[file.path] = [await readFile(file.source), {mtime: TIME, os: UNIX, attrs: mode * 0x10000, level: 6}]
  }
  return packageOf(zipSync(tree))
}

/** A package that was saved before. */
export function packageOf(zip: Uint8Array<ArrayBuffer>): Package {
  const hash = createHash('sha256').update(zip).digest('hex').slice(0, 32)
  return {name: `_ray_pkg_${hash}.zip`, zip}
}

/** Sends a package unless Ray has it; returns its address and whether it was sent. */
export async function upload(ray: RayClient, {name, zip}: Package): Promise<{uri: string; sent: boolean}> {
  const uri = `gcs://${name}`
  if (await ray.hasPackage(name)) return {uri, sent: false}
  await ray.putPackage(name, zip)
  return {uri, sent: true}
}
