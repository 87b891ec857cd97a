import {access, mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../../context.js'
import {writeFileAtomic} from '../../tools/atomic-file.js'
import {isAlive, startOfProcess} from '../../tools/process-table.js'
import {describeInstallError, findUv, installUv} from '../../tools/uv.js'
import type {StepProgress} from '../../types/phase.js'
import type {Packages} from '../../types/target.js'
import {type WantedEnvironment, wantedEnvironment} from './environment.js'

const MARKER = '.complete'

export const pythonOf = (folder: string) => join(folder, 'bin', 'python')

/** Whether an environment was finished: the marker is written last. */
export async function isComplete(folder: string): Promise<boolean> {
  return access(join(folder, MARKER)).then(
    () =>
      access(pythonOf(folder)).then(
        () => true,
        () => false,
      ),
    () => false,
  )
}

/** What uv is asked for in the second step: PyTorch by exact version, from the index of its back end. */
export function torchArguments({torch, torchBackend}: Pick<WantedEnvironment, 'torch' | 'torchBackend'>): string[] {
  const versions = Object.entries(torch).map(([name, version]) => `${name}==${version}`)
  if (versions.length === 0) return []
  return [...(torchBackend === undefined ? [] : ['--torch-backend', torchBackend]), ...versions]
}

/** Makes the shared environment unless it is there; a second project that wants it at the same time waits for it. */
export async function buildEnvironment(
  context: Context,
  wanted: WantedEnvironment,
  progress: StepProgress,
): Promise<void> {
  const {base, folder, lock} = wanted
  await once(context, folder, progress, async () => {
    const uv = await uvFor(context, base.path, progress)
    const python = pythonOf(folder)
    await install(context, [uv, 'venv', '--quiet', '--python', base.path, folder], 'a virtual environment', progress)
    const pip = [uv, 'pip', 'install', '--python', python, '--compile-bytecode'] as const
    const lockFile = join(folder, 'requirements.lock')
    await writeFile(lockFile, lock)
    await install(context, [...pip, '--require-hashes', '-r', lockFile], 'MLflow, Ray and the rest', progress)
    const torch = torchArguments(wanted)
    if (torch.length > 0) await install(context, [...pip, ...torch], 'PyTorch', progress)
  })
}

/** An interpreter with exactly these packages, as an earlier job had them. */
export async function interpreterWith(context: Context, packages: Packages, progress: StepProgress): Promise<string> {
  const wanted = await wantedEnvironment(context, packages)
  await buildEnvironment(context, wanted, progress)
  await buildLayer(context, wanted, progress)
  return pythonOf(wanted.requirements?.folder ?? wanted.folder)
}

/** Puts the project's own packages into an environment of their own that looks into the shared one behind it. */
export async function buildLayer(context: Context, wanted: WantedEnvironment, progress: StepProgress): Promise<void> {
  const {requirements} = wanted
  if (!requirements) return
  await once(context, requirements.folder, progress, async () => {
    const uv = await uvFor(context, wanted.base.path, progress)
    const {folder} = requirements
    await install(
      context,
      [uv, 'venv', '--quiet', '--python', wanted.base.path, folder],
      'a virtual environment',
      progress,
    )
    if (requirements.text !== undefined) await writeFile(requirements.path, requirements.text)
    const frozen = (await context.exec.read([uv, 'pip', 'freeze', '--python', pythonOf(wanted.folder)])).stdout
    const constraints = join(folder, 'shared.txt')
    await writeFile(constraints, frozen)
    const compile = [
      uv,
      'pip',
      'compile',
      '--quiet',
      '--no-header',
      '--no-annotate',
      '--python',
      pythonOf(wanted.folder),
    ] as const
    const resolved = await install(
      context,
      [...compile, '-c', constraints, requirements.path],
      requirements.path,
      progress,
    )
    const shared = new Set(frozen.split('\n').map(line => line.trim().toLowerCase()))
    const added = resolved.split('\n').filter(line => line.includes('==') && !shared.has(line.trim().toLowerCase()))
    const list = join(folder, 'added.txt')
    await writeFile(list, `${added.join('\n')}\n`)
    const pip = [uv, 'pip', 'install', '--no-deps', '--python', pythonOf(folder), '-r', list] as const
    if (added.length > 0) await install(context, [...pip], requirements.path, progress)
    const [mine, theirs] = await Promise.all([sitePackages(folder), sitePackages(wanted.folder)])
    await writeFile(join(mine, 'mlv-shared.pth'), `${theirs}\n`)
  })
}

async function sitePackages(folder: string): Promise<string> {
  const [version = ''] = (await readdir(join(folder, 'lib'))).filter(name => name.startsWith('python'))
  return join(folder, 'lib', version, 'site-packages')
}

async function uvFor(context: Context, python: string, progress: StepProgress): Promise<string> {
  const found = await findUv(context)
  if (found) return found
  progress.update('getting uv')
  return installUv(context, python)
}

async function install(
  context: Context,
  argv: readonly [string, ...string[]],
  what: string,
  progress: StepProgress,
): Promise<string> {
  progress.update(`installing ${what}`)
  try {
    const {stdout} = await context.exec.write(argv, {
      onLine: line => {
        const text = line.trim()
        if (/^(Resolved|Prepared|Installed|Downloading|Downloaded|Bytecode)/.test(text))
          progress.update(`${what}: ${text}`)
      },
    })
    return stdout
  } catch (error) {
    throw describeInstallError(context, error, what)
  }
}

/** Runs `make` for a folder that has no marker yet; only one process on this machine does it at a time. */
async function once(
  context: Context,
  folder: string,
  progress: StepProgress,
  make: () => Promise<void>,
): Promise<void> {
  if (await isComplete(folder)) return
  await mkdir(dirname(folder), {recursive: true, mode: 0o700})
  const lock = `${folder}.lock`
  const release = await takeLock(context, lock, progress)
  try {
    if (await isComplete(folder)) return
    // What a killed setup left half made is not trusted.
    await rm(folder, {recursive: true, force: true})
    await make()
    await writeFileAtomic(join(folder, MARKER), '')
  } finally {
    await release()
  }
}

async function takeLock(context: Context, path: string, progress: StepProgress): Promise<() => Promise<void>> {
  const mine = JSON.stringify({pid: process.pid, started: await startOfProcess(context.exec, process.pid)})
  for (;;) {
    context.signal.throwIfAborted()
    try {
      await writeFile(path, mine, {flag: 'wx', mode: 0o600})
      return () => rm(path, {force: true})
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = JSON.parse((await readFile(path, 'utf8').catch(() => '')) || 'null') as {
      pid: number
      started: string
    } | null
    if (!holder || !(await isAlive(context.exec, holder))) {
      await rm(path, {force: true})
      continue
    }
    progress.update(`process ${holder.pid} is making the same environment; waiting for it`)
    await pause(300)
  }
}
