import {execFile} from 'node:child_process'
import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {mkdir, mkdtemp, readdir, readFile, rm, statfs, writeFile} from 'node:fs/promises'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {promisify} from 'node:util'

import {findPython, findUv} from '../../scripts/development-python.mjs'
import {describeImage, type ImageId, imageIds} from '../../src/lib/images/image.js'
import {readText, root} from './source-tree.js'

const run = promisify(execFile)
const cache = join(root, 'build', 'test-cache', 'images')
const kit = () => join(process.env.MLV_TEST_KIT ?? '', 'kit')
const base = 'docker.io/library/python:3.11-slim-bookworm'
const GIB = 2 ** 30

export interface NodeImage {
  /** What a pod names it by. */
  readonly name: string
  /** What anybody can read in it of how it was made. */
  readonly history: string
}

/**
 * Builds both images with buildah as `mlv images build` does, and hands each one's archive to `load`. What has not changed since
 * the last time comes from build/, where the archives are kept unless the disk is nearly full.
 */
export async function provideImages(load: (archive: string) => Promise<void>): Promise<Record<ImageId, NodeImage>> {
  await mkdir(cache, {recursive: true})
  const keys = {mlflow: await keyOf('mlflow'), train: await keyOf('train')}
  const images: Partial<Record<ImageId, NodeImage>> = {}
  const lacking: ImageId[] = []
  for (const id of imageIds) {
    const saved = await readFile(join(cache, `${keys[id]}.json`), 'utf8').catch(() => undefined)
    if (saved === undefined) lacking.push(id)
    else {
      images[id] = JSON.parse(saved)
      await load(join(cache, `${keys[id]}.tar`))
    }
  }
  if (lacking.length > 0)
    await withBuilder(async builder => {
      // The larger one first, while the disk is emptiest.
      for (const id of lacking.toReversed()) {
        await forget(id)
        const archive = join(cache, `${keys[id]}.tar`)
        images[id] = await builder(id, archive)
        await load(archive)
        if (await isTight()) await rm(archive)
        else await writeFile(join(cache, `${keys[id]}.json`), JSON.stringify(images[id]))
      }
    })
  return images as Record<ImageId, NodeImage>
}

async function keyOf(id: ImageId): Promise<string> {
  const {version} = JSON.parse(readText('package.json'))
  const {name} = await describeImage({packageDir: root, version}, id, {base, torchIndex: 'cpu'})
  const makers = [readText('test/_helpers/cpu-torch.py')]
  const kitVersion = await readFile(join(kit(), '..', 'VERSION'), 'utf8')
  return `${id}-${createHash('sha256')
    .update([name, ...makers, kitVersion].join('\0'))
    .digest('hex')
    .slice(0, 16)}`
}

async function isTight(): Promise<boolean> {
  const {bavail, bsize} = await statfs(cache)
  return bavail * bsize < 6 * GIB
}

async function available(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8')
  return Number(/^MemAvailable: +(\d+) kB/m.exec(text)?.[1]) * 1024
}

async function forget(id: ImageId): Promise<void> {
  for (const file of await readdir(cache)) if (file.startsWith(`${id}-`)) await rm(join(cache, file))
}

type Builder = (id: ImageId, archive: string) => Promise<NodeImage>

/**
 * A store of images of its own that is gone afterwards, with the base image in it and PyTorch's builds for the CPU at hand. In
 * memory where there is enough: a builder has the layer that it makes four times over, 9 GB.
 */
async function withBuilder(use: (builder: Builder) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(cache, 'store-'))
  const isMounted = (await available()) > 13 * GIB
  if (isMounted) await run('mount', ['-t', 'tmpfs', '-o', 'size=12g', 'tmpfs', folder])
  const conf = join(folder, 'storage.conf')
  const roots = `graphroot = "${join(folder, 'graph')}"\nrunroot = "${join(folder, 'run')}"\n`
  await writeFile(conf, `[storage]\ndriver = "overlay"\n${roots}`)
  const env = {...process.env, BUILDAH_ISOLATION: 'chroot', CONTAINERS_STORAGE_CONF: conf, TMPDIR: folder}
  const buildah = (...args: string[]) => run('buildah', args, {env, maxBuffer: 64 << 20})
  const index = await serve(join(folder, 'index'))
  try {
    await Promise.all([makeBase(env), makeTorch(join(folder, 'index'))])
    await use(async (id, archive) => {
      const argv = ['images', 'build', id, '--json', '--builder', 'buildah', '--base', base, '--torch-index', index.url]
      const {stdout} = await run(
        process.execPath,
        [join(root, 'bin', 'mlv.js'), ...argv, '--build-option=--network=host'],
        {
          cwd: folder,
          env,
          maxBuffer: 64 << 20,
        },
      ).catch(error => {
        throw new Error(`mlv images build ${id}: ${error.stdout}\n${error.stderr.slice(-3000)}`)
      })
      const name = `localhost/${JSON.parse(stdout).images[0].name}`
      const {stdout: history} = await buildah('inspect', '--type', 'image', name)
      await buildah('push', '--quiet', '--compression-format', 'zstd', name, `oci-archive:${archive}:${name}`)
      await buildah('rmi', name)
      return {name, history}
    })
  } finally {
    await index.close()
    // The builder leaves one behind as well.
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map(line => line.split(' ')[1] ?? '')
    for (const mount of mounts.filter(path => path.startsWith(folder)).toReversed())
      await run('umount', ['--lazy', mount])
    await rm(folder, {force: true, recursive: true})
  }
}

/** Made of Debian's packages, which takes a minute or two, and kept. */
async function makeBase(env: NodeJS.ProcessEnv): Promise<void> {
  const archive = join(cache, `base-${(await readFile(join(kit(), '..', 'VERSION'), 'utf8')).trim()}.tar`)
  const isKept = await run('buildah', ['pull', '--quiet', `oci-archive:${archive}`], {env}).then(
    () => true,
    () => false,
  )
  if (isKept) return
  // Nothing of it has to survive a power cut.
  await run(kit(), ['base'], {env: {...env, DPKG_FORCE: 'unsafe-io'}})
  if (await isTight()) return
  await rm(archive, {force: true})
  await run('buildah', ['push', '--quiet', '--compression-format', 'zstd', base, `oci-archive:${archive}:${base}`], {
    env,
  })
}

async function makeTorch(index: string): Promise<void> {
  const python = findPython()
  // Beside the cache of uv, on most machines: links, no copies.
  const site = await mkdtemp(join(cache, 'site-'))
  const pins = Object.entries(JSON.parse(readText('python/torch-versions.json'))).map(pin => pin.join('=='))
  const into = ['--target', site, '--no-deps', '--python', python, '--python-version', '3.11']
  await run(findUv(python), ['pip', 'install', '--quiet', ...into, ...pins, 'nvidia-cuda-runtime==13.0.*'])
  await run(python, [join(root, 'test/_helpers/cpu-torch.py'), site, index])
  await rm(site, {force: true, recursive: true})
}

/** An index of packages: folders of wheels, as PyTorch's own is. */
async function serve(folder: string): Promise<{url: string; close(): Promise<void>}> {
  const server = createServer(async (request, response) => {
    const [name = '', wheel = ''] = decodeURIComponent(request.url ?? '')
      .split('/')
      .slice(1)
    if (wheel === '') {
      const wheels = await readdir(join(folder, name)).catch(() => [])
      response.setHeader('content-type', 'text/html')
      response.end(wheels.map(file => `<a href="${encodeURIComponent(file)}">${file}</a>`).join('\n'))
    } else
      createReadStream(join(folder, name, wheel))
        .once('error', () => response.destroy())
        .pipe(response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}
