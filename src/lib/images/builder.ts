import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {ExecOptions} from '../tools/exec.js'

export const builderNames = ['docker', 'podman', 'buildah'] as const
export type BuilderName = (typeof builderNames)[number]

/** What makes images. The three take the same words for nearly everything; here is where they differ. */
export interface ImageBuilder {
  readonly name: BuilderName
  has(image: string): Promise<boolean>
  build(args: readonly string[], options: ExecOptions): Promise<void>
  /** Sends an image under another name; gives the digest that the registry keeps it by, nothing under `--dry-run`. */
  push(image: string, as: string, options: ExecOptions): Promise<string | undefined>
}

const PROBE_MS = 20_000

/** The builder that was asked for, else the first on PATH that answers: docker without its daemon builds nothing. */
export async function findBuilder(context: Context, asked: BuilderName | undefined): Promise<ImageBuilder> {
  const problems: string[] = []
  for (const name of asked ? [asked] : builderNames) {
    const problem = await probe(context, name)
    if (problem === undefined) return builder(context, name)
    problems.push(`${name} ${problem}`)
  }
  throw new MlvError('MLV_IMAGE_BUILDER', 'Nothing that builds images answers.', {
    details: problems,
    tryThis: [
      process.platform === 'darwin' ? 'brew install podman' : 'sudo apt-get install buildah',
      'Or install Docker and start it.',
    ],
  })
}

async function probe({exec, signal}: Context, name: BuilderName): Promise<string | undefined> {
  const argv = name === 'docker' ? (['docker', 'version'] as const) : ([name, '--version'] as const)
  try {
    const {exitCode, stderr} = await exec.read([...argv], {reject: false, timeoutMs: PROBE_MS})
    return exitCode === 0 ? undefined : `does not work: ${stderr.trim().split('\n').at(-1)}`
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof MlvError)) throw error
    return error.code === 'MLV_TOOL_MISSING' ? 'is not on PATH' : 'gives no answer'
  }
}

function builder({dryRun, exec}: Context, name: BuilderName): ImageBuilder {
  return {
    name,
    async has(image) {
      const argv = name === 'buildah' ? ['inspect', '--type', 'image', image] : ['image', 'inspect', image]
      return (await exec.read([name, ...argv], {reject: false})).exitCode === 0
    },
    async build(args, options) {
      // Docker's older builder knows no secrets; its newer one draws over its lines unless told not to.
      if (name === 'docker')
        await exec.write([name, 'build', '--progress', 'plain', ...args], {...options, env: {DOCKER_BUILDKIT: '1'}})
      else await exec.write([name, 'build', ...args], options)
    },
    async push(image, as, options) {
      if (name === 'docker') {
        await exec.write([name, 'tag', image, as])
        const {stdout} = await exec.write([name, 'push', as], options)
        return /digest: (sha256:[0-9a-f]{64})/.exec(stdout)?.[1]
      }
      const folder = dryRun ? tmpdir() : await mkdtemp(join(tmpdir(), 'mlv-push-'))
      const file = join(folder, 'digest')
      try {
        await exec.write([name, 'push', '--digestfile', file, image, `docker://${as}`], options)
        return dryRun ? undefined : (await readFile(file, 'utf8')).trim()
      } finally {
        if (!dryRun) await rm(folder, {recursive: true, force: true})
      }
    },
  }
}
