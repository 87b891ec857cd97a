import {type ChildProcess, execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, realpath, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import type {Context} from '../../src/lib/context.js'
import {buildImages, formatImages} from '../../src/lib/images/build-images.js'
import {freePort} from '../_helpers/free-port.js'
import {hasRealNode} from '../_helpers/kit.js'
import {projectContext} from '../_helpers/project-context.js'
import {writeFiles} from '../_helpers/temporary-folder.js'

const PASSWORD = 'correct horse battery'
const HASH = 'jo:$2y$05$IQvuC6wW9HhQ/6zRIDY0CuZrXxgMkfZ.Yy6KmKwQGPfLSqDgHoKTi'

// `.ci/run` installs buildah and the registry where there is a kit.
describe.skipIf(!hasRealNode)('a real builder and a real registry', () => {
  let folder: string
  let registry: ChildProcess
  let repository: string
  let environment: NodeJS.ProcessEnv

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'mlv-push-')))
    const port = await freePort()
    repository = `localhost:${port}/team`
    const roots = `graphroot = "${folder}/graph"\nrunroot = "${folder}/run"`
    const file = {rootdirectory: `${folder}/registry`}
    await mkdir(file.rootdirectory)
    await writeFiles(folder, {
      'storage.conf': `[storage]\ndriver = "vfs"\n${roots}\n`,
      'registries.conf': `[[registry]]\nlocation = "localhost:${port}"\ninsecure = true\n`,
      users: HASH,
      'auth.json': '{}',
      'registry.yml': JSON.stringify({
        version: '0.1',
        log: {level: 'error'},
        storage: {filesystem: file},
        http: {addr: `127.0.0.1:${port}`},
        auth: {htpasswd: {realm: 'team', path: join(folder, 'users')}},
      }),
      // What an image is made of decides its name; how long that takes does not matter here.
      'package/docker/mlflow.Dockerfile': 'FROM scratch\nCOPY python/requirements-mlflow.lock /\n',
      'package/python/requirements-mlflow.lock': 'mlflow==1\n',
    })
    registry = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], {
      stdio: 'ignore',
    })
    await answer(`http://localhost:${port}/v2/`)
    environment = {
      ...process.env,
      BUILDAH_ISOLATION: 'chroot',
      CONTAINERS_REGISTRIES_CONF: join(folder, 'registries.conf'),
      CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
      REGISTRY_AUTH_FILE: join(folder, 'auth.json'),
    }
  })

  afterAll(async () => {
    registry?.kill()
    if (registry && registry.exitCode === null) await once(registry, 'exit')
    await rm(folder, {force: true, recursive: true})
  })

  async function answer(url: string): Promise<void> {
    const deadline = Date.now() + 30_000
    while (!(await fetch(url).catch(() => undefined))) {
      if (Date.now() > deadline) throw new Error(`${url} gives no answer`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  const options = () => {
    const {context} = projectContext(folder, environment)
    const own: Context = {...context, packageDir: join(folder, 'package')}
    return {builder: 'buildah', context: own, only: 'mlflow', push: repository} as const
  }

  it('is told to sign in, builds once, pushes, and names what the registry keeps by its digest', async () => {
    const [host = ''] = repository.split('/')
    await expect(buildImages(options())).rejects.toMatchObject({
      code: 'MLV_IMAGE_SIGN_IN',
      tryThis: [`buildah login ${host}`],
    })
    const login = ['login', '--username', 'jo', '--password', PASSWORD, '--tls-verify=false', host]
    await promisify(execFile)('buildah', login, {env: environment})
    const result = await buildImages(options())
    expect(result.images).toMatchObject([{built: false}])
    const [, digest = ''] =
      /^images:\n {2}mlflow: \S+@(sha256:[0-9a-f]{64})$/.exec(formatImages(options().context, result)) ?? []
    const kept = await fetch(`http://${host}/v2/team/mlv-mlflow/manifests/${digest}`, {
      headers: {authorization: `Basic ${btoa(`jo:${PASSWORD}`)}`, accept: 'application/vnd.oci.image.manifest.v1+json'},
    })
    expect(kept.status).toBe(200)
    await writeFiles(folder, {'package/python/requirements-mlflow.lock': 'mlflow==2\n'})
    const changed = await buildImages(options())
    expect(changed.images[0]).toMatchObject({built: true})
    expect(changed.images[0]?.reference).not.toBe(result.images[0]?.reference)
  })

  it('says the last lines of a build that fails', async () => {
    await writeFiles(folder, {'package/docker/mlflow.Dockerfile': 'FROM scratch\nCOPY python/other.lock /\n'})
    await expect(buildImages(options())).rejects.toMatchObject({
      code: 'MLV_IMAGE_BUILD',
      details: expect.arrayContaining([expect.stringContaining('python/other.lock')]),
    })
  })
})
