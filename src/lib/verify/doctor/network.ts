import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {redactUrls} from '../redact.js'
import type {Check, Finding} from './check.js'

const PYPI = 'https://pypi.org/simple'
const PYTORCH = 'https://download.pytorch.org/whl/cpu'
const ANSWER_DEADLINE_MS = 6000
// Signed addresses and TLS certificates break at about this.
const LARGEST_SKEW_SECONDS = 120

export const networkChecks: readonly Check[] = [
  {id: 'package-index', title: 'Package index', group: 'Network', look: ({context}) => lookAtPackages(context)},
  {id: 'pytorch-index', title: 'PyTorch index', group: 'Network', look: ({context}) => lookAtPyTorch(context)},
  {id: 'clock', title: 'Clock', group: 'Network', look: ({context}) => lookAtClock(context)},
]

async function lookAtPackages(context: Context): Promise<Finding> {
  const {from, url} = await packageIndex(context)
  const answer = await ask(context, `${url}/uv/`)
  const name = `${redactUrls(url)}${from === undefined ? '' : ` (from ${from})`}`
  if (answer.status !== undefined && answer.status < 400) return {state: 'good', found: `${name}, ${answer.ms} ms`}
  const fix = [
    `curl -I ${redactUrls(`${url}/uv/`)}`,
    'Behind a proxy: set HTTPS_PROXY. With an index of your own: set UV_DEFAULT_INDEX.',
  ]
  return {
    state: 'warning',
    found: `${name}: ${answer.error ?? `answers ${answer.status}`}; without it no Python environment can be made`,
    fix,
  }
}

async function lookAtPyTorch(context: Context): Promise<Finding> {
  const answer = await ask(context, `${PYTORCH}/torch/`)
  if (answer.status === 200) return {state: 'good', found: `${PYTORCH}, ${answer.ms} ms`}
  return {
    state: 'note',
    found: `${PYTORCH}: ${answer.error ?? `answers ${answer.status}`}; setup takes PyTorch from the package index`,
  }
}

async function lookAtClock(context: Context): Promise<Finding> {
  const {url} = await packageIndex(context)
  const {date} = await ask(context, `${url}/uv/`)
  const there = Date.parse(date ?? '')
  if (Number.isNaN(there)) return {state: 'note', found: 'nothing to compare it with'}
  const skew = Math.round((Date.now() - there) / 1000)
  const found =
    Math.abs(skew) <= 2
      ? 'agrees with the package index'
      : `${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} the package index`
  if (Math.abs(skew) <= LARGEST_SKEW_SECONDS) return {state: 'good', found}
  const fix = process.platform === 'darwin' ? 'sudo sntp -sS time.apple.com' : 'sudo timedatectl set-ntp true'
  return {state: 'warning', found: `${found}: certificates and signed addresses may be refused`, fix: [fix]}
}

/** Where Python packages come from for this person, in the order in which uv and pip look. */
async function packageIndex({environment, exec, signal}: Context): Promise<{url: string; from?: string}> {
  const variable = ['UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'PIP_INDEX_URL'].find(name => environment[name])
  if (variable !== undefined) return {url: trimmed(environment[variable] ?? PYPI), from: variable}
  const configHome = environment.XDG_CONFIG_HOME || join(environment.HOME ?? '/', '.config')
  for (const file of [join(configHome, 'uv', 'uv.toml'), '/etc/uv/uv.toml']) {
    const text = await readFile(file, 'utf8').catch(() => '')
    const url = /^\s*index-url\s*=\s*["'](.+?)["']/m.exec(text)?.[1]
    if (url !== undefined) return {url: trimmed(url), from: file}
  }
  try {
    const {exitCode, stdout} = await exec.read(['python3', '-m', 'pip', 'config', 'get', 'global.index-url'], {
      reject: false,
      timeoutMs: ANSWER_DEADLINE_MS,
    })
    if (exitCode === 0 && /^https?:/.test(stdout.trim()))
      return {url: trimmed(stdout.trim()), from: "pip's configuration"}
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof MlvError)) throw error
  }
  return {url: PYPI}
}

const answerSchema = z.object({
  status: z.number().optional(),
  date: z.string().nullable().optional(),
  error: z.string().optional(),
  ms: z.number(),
})

// fetch knows proxies and the system's certificates only by flags at the start of Node: hence a process of its own.
const ASK = `
const {url, authorization} = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const began = performance.now()
const end = answer => console.log(JSON.stringify({...answer, ms: Math.round(performance.now() - began)}))
fetch(url, {method: 'HEAD', headers: authorization ? {authorization} : {}, signal: AbortSignal.timeout(${ANSWER_DEADLINE_MS - 1000})})
  .then(r => end({status: r.status, date: r.headers.get('date')}),
        e => end({error: e.name === 'TimeoutError' ? 'no answer within ${(ANSWER_DEADLINE_MS - 1000) / 1000} s' : (e.cause?.code ?? e.cause?.message ?? e.message)}))
`

async function ask({environment, exec}: Context, address: string): Promise<z.output<typeof answerSchema>> {
  const url = new URL(address)
  const authorization = url.username
    ? `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`
    : undefined
  url.username = ''
  url.password = ''
  const certificates = environment.NODE_EXTRA_CA_CERTS ?? environment.SSL_CERT_FILE ?? environment.PIP_CERT
  const {stdout} = await exec.read([process.execPath, '--use-env-proxy', '--use-system-ca', '-e', ASK], {
    input: JSON.stringify({url: url.href, authorization}),
    env: {NODE_EXTRA_CA_CERTS: certificates, NODE_NO_WARNINGS: '1'},
    timeoutMs: ANSWER_DEADLINE_MS,
  })
  return answerSchema.parse(JSON.parse(stdout))
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '')
}
