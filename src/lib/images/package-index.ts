import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import type {Context} from '../context.js'
import type {Environment} from '../profile/env.js'

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']

/** Which index of packages this environment names, as lines for a shell; what lies in folders here is not there in a build. */
export function indexExports(environment: Environment, hasAuthority: boolean): string {
  const index = environment.UV_DEFAULT_INDEX ?? environment.UV_INDEX_URL ?? environment.PIP_INDEX_URL
  const more = environment.UV_INDEX ?? environment.UV_EXTRA_INDEX_URL ?? environment.PIP_EXTRA_INDEX_URL
  const authority = hasAuthority ? '/run/secrets/ca' : undefined
  const values = {
    PIP_INDEX_URL: index,
    UV_DEFAULT_INDEX: index,
    PIP_EXTRA_INDEX_URL: more,
    UV_INDEX: more,
    PIP_TRUSTED_HOST: environment.PIP_TRUSTED_HOST,
    UV_INSECURE_HOST: environment.UV_INSECURE_HOST ?? environment.PIP_TRUSTED_HOST,
    PIP_CERT: authority,
    SSL_CERT_FILE: authority,
  }
  return Object.entries(values)
    .filter(([, value]) => value)
    .map(([name, value]) => `export ${name}='${value?.replaceAll("'", "'\\''")}'\n`)
    .join('')
}

/** Hands a build what it reaches packages by. An address may hold a password: it goes by a 0600 file that no layer keeps. */
export async function withPackageIndex<T>(context: Context, use: (args: readonly string[]) => Promise<T>): Promise<T> {
  const {dryRun, environment} = context
  const authority = environment.SSL_CERT_FILE ?? environment.PIP_CERT ?? environment.REQUESTS_CA_BUNDLE
  const text = indexExports(environment, authority !== undefined)
  // By name alone: the builder takes the value from its own environment.
  const proxies = PROXIES.filter(name => environment[name]).flatMap(name => ['--build-arg', name])
  if (text === '') return use(proxies)
  const folder = dryRun ? tmpdir() : await mkdtemp(join(tmpdir(), 'mlv-index-'))
  const file = join(folder, 'packages')
  try {
    if (!dryRun) await writeFile(file, text, {mode: 0o600})
    const ca = authority === undefined ? [] : ['--secret', `id=ca,src=${authority}`]
    return await use([...proxies, '--secret', `id=packages,src=${file}`, ...ca])
  } finally {
    if (!dryRun) await rm(folder, {recursive: true, force: true})
  }
}
