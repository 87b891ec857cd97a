import {access, rm} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../context.js'
import {MlvError, ToolError} from '../errors.js'

/** Tried with this version; one on PATH may be older, but not older than `OLDEST`. */
const VERSION = '0.13.9'
const OLDEST = [0, 7] as const

/** The uv to use: the one on PATH when it is recent enough, else mlv's own. */
export async function findUv(context: Context): Promise<string | undefined> {
  const {exitCode, stdout} = await context.exec
    .read(['uv', '--version'], {reject: false, timeoutMs: 10_000})
    .catch(() => ({exitCode: 1, stdout: ''}))
  const [, major = '0', minor = '0'] = /^uv (\d+)\.(\d+)/.exec(stdout) ?? []
  const isRecent = Number(major) > OLDEST[0] || Number(minor) >= OLDEST[1]
  if (exitCode === 0 && isRecent) return 'uv'
  const own = ownUv(context)
  return access(own).then(
    () => own,
    () => undefined,
  )
}

/** Puts uv into mlv's own tools folder by pip, which knows the person's index, proxy and certificates. */
export async function installUv(context: Context, python: string): Promise<string> {
  const folder = uvFolder(context)
  await rm(folder, {recursive: true, force: true})
  try {
    await context.exec.write([python, '-m', 'venv', folder])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `uv==${VERSION}`]
    await context.exec.write([join(folder, 'bin/python'), ...pip])
  } catch (error) {
    await rm(folder, {recursive: true, force: true})
    throw classify(context, error, python)
  }
  return ownUv(context)
}

const uvFolder = (context: Context) => join(context.folders.data, 'tools', `uv-${VERSION}`)
const ownUv = (context: Context) => join(uvFolder(context), 'bin', 'uv')

function classify(context: Context, error: unknown, python: string): unknown {
  if (!(error instanceof ToolError)) return error
  if (/ensurepip|No module named (pip|venv)/.test(error.stderr)) {
    return new MlvError('MLV_PYTHON_BROKEN', `${python} comes without venv and pip, which are needed to get uv.`, {
      cause: error,
      tryThis: ['sudo apt-get install python3-venv', 'Or put uv on PATH yourself.'],
    })
  }
  return describeInstallError(context, error, 'uv')
}

/** What went wrong when packages were fetched, in words that help. */
export function describeInstallError(context: Context, error: unknown, what: string): unknown {
  if (!(error instanceof ToolError)) return error
  const {stderr} = error
  if (/No space left on device|os error 28|Disk quota/i.test(stderr)) {
    return new MlvError('MLV_DISK_FULL', `The disk has no room for ${what}; the environment takes about 6 GB.`, {
      cause: error,
      tryThis: ['df -h', `Set MLV_CACHE_DIR to a folder on a larger disk, then ${context.command('setup')}`],
    })
  }
  if (/dns error|connect|timed? ?out|Temporary failure|Network is unreachable|Could not find a version/i.test(stderr)) {
    return new MlvError('MLV_NO_NETWORK', `The package index does not give ${what}.`, {
      cause: error,
      details: error.details.slice(-6),
      tryThis: [
        context.command('doctor'),
        'Behind a proxy or with an index of your own: set HTTPS_PROXY or UV_INDEX_URL.',
      ],
    })
  }
  return new MlvError('MLV_TOOL_FAILED', `uv cannot install ${what}.`, {
    cause: error,
    details: error.details.slice(-6),
    tryThis: [context.command('doctor')],
  })
}
