import {gunzipSync} from 'node:zlib'
import {z} from 'zod'

import {MlvError, ToolError} from '../errors.js'
import type {Exec} from './exec.js'
import {kubeErrorOf} from './kube-error.js'
import {listOf, secretSchema} from './kube-objects.js'
import type {Kube} from './kube-session.js'

/** One revision of a release, as Helm keeps it in a Secret. */
export interface Revision {
  readonly secret: string
  readonly version: number
  /** `deployed`, `failed`, `superseded`, `pending-install`, … */
  readonly status: string
  /** Of the values that mlv gave; undefined for a release that mlv did not make. */
  readonly config: string | undefined
  readonly data: string
}

export interface Upgrade {
  readonly release: string
  /** A folder, or an address with the version of the chart. */
  readonly chart: string
  readonly version?: string | undefined
  readonly values: object
  /** Tells one set of values from another. */
  readonly config: string
  readonly createNamespace?: boolean
}

const CONFIG = 'mlv.dev/config'
const OLDEST_HELM = [3, 18] as const
const TIMEOUT_MS = 300_000

/** The revisions of a release, newest first; empty where there is none. */
export async function readRevisions(kube: Kube, release: string, namespace = kube.namespace): Promise<Revision[]> {
  const selector = encodeURIComponent(`owner=helm,name=${release}`)
  const found = await kube.get(
    `/api/v1/namespaces/${namespace}/secrets?labelSelector=${selector}`,
    listOf(secretSchema),
  )
  return (found?.items ?? [])
    .map(({data, metadata: {labels = {}, name}}) => ({
      secret: name,
      version: Number(labels.version),
      status: labels.status ?? '',
      config: labels[CONFIG],
      data: data?.release ?? '',
    }))
    .sort((a, b) => b.version - a.version)
}

/** The YAML of everything that a revision put there. */
export function manifestOf(revision: Revision): string {
  return unpack(revision, z.object({manifest: z.string()})).manifest
}

/** Which chart a revision was made of, and of which version what it runs is. */
export function chartOf(revision: Revision): {version: string; appVersion: string} {
  const metadata = z.object({version: z.string(), appVersion: z.string().default('?')})
  return unpack(revision, z.object({chart: z.object({metadata})})).chart.metadata
}

function unpack<T>({data}: Revision, schema: z.ZodType<T>): T {
  // Helm packs it and writes it as base64, as which Kubernetes keeps every Secret once more.
  const packed = Buffer.from(Buffer.from(data, 'base64').toString('latin1'), 'base64')
  return schema.parse(JSON.parse(gunzipSync(packed).toString('utf8')))
}

/** Such as `[4, 1]`; throws where it is too old. */
export async function helmVersion(exec: Exec): Promise<readonly [major: number, minor: number]> {
  const {stdout} = await exec.read(['helm', 'version', '--short'])
  const [, major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(stdout) ?? []).map(Number)
  if (major > OLDEST_HELM[0] || (major === OLDEST_HELM[0] && minor >= OLDEST_HELM[1])) return [major, minor]
  throw new MlvError('MLV_CLUSTER_VERSION', `helm on PATH is ${stdout.trim()}; mlv works with 3.18 or newer, and 4.`, {
    tryThis: ['helm version', 'https://helm.sh/docs/intro/install/'],
  })
}

/** What is run for an upgrade; the values go to its input. */
export function upgradeArgv(
  kube: {context: string},
  namespace: string,
  upgrade: Upgrade,
  major: number,
): [string, ...string[]] {
  const {chart, config, release, version} = upgrade
  return [
    'helm',
    'upgrade',
    release,
    chart,
    '--install',
    ...(version === undefined ? [] : ['--version', version]),
    ...at(kube, namespace),
    ...(upgrade.createNamespace ? ['--create-namespace'] : []),
    '--values',
    '-',
    '--labels',
    `${CONFIG}=${config}`,
    // A migration and its way back are five; the revision before has to be there still.
    '--history-max',
    '10',
    // Server-side apply would stop at what was changed by hand; it is mlv's to put back.
    ...(major >= 4 ? ['--force-conflicts', '--server-side=true'] : []),
  ]
}

/** Installs or upgrades; does not wait for pods. A pending revision, which a killed helm leaves, is cleared first. */
export async function upgradeRelease(
  exec: Exec,
  kube: Kube,
  upgrade: Upgrade,
  namespace = kube.namespace,
): Promise<void> {
  const {release, values} = upgrade
  const [major] = await helmVersion(exec)
  const revisions = await readRevisions(kube, release, namespace)
  refuseForeign(kube, release, revisions, namespace)
  for (const {secret, status} of revisions) {
    // What it had made carries the release's name: the next upgrade takes it over, data and all.
    if (status.startsWith('pending-')) await kube.remove(`/api/v1/namespaces/${namespace}/secrets/${secret}`)
  }
  await runHelm(exec, kube, release, upgradeArgv(kube, namespace, upgrade, major), JSON.stringify(values))
}

export function refuseForeign(
  kube: {context: string},
  release: string,
  revisions: readonly Revision[],
  namespace: string,
): void {
  if (revisions.length === 0 || revisions.some(({config}) => config !== undefined)) return
  throw new MlvError(
    'MLV_RELEASE_FOREIGN',
    `Namespace ${namespace} has a Helm release ${release} that mlv did not make; it is left alone.`,
    {
      tryThis: [
        `helm --kube-context ${kube.context} -n ${namespace} history ${release}`,
        'Set another `kubernetes.namespace` in mlv.yaml.',
      ],
    },
  )
}

/** Goes back to the revision before; does not wait for pods. */
export function rollbackRelease(exec: Exec, kube: Kube, release: string, version: number): Promise<void> {
  return runHelm(exec, kube, release, ['helm', 'rollback', release, String(version), ...at(kube, kube.namespace)])
}

export function uninstallRelease(exec: Exec, kube: Kube, release: string, namespace = kube.namespace): Promise<void> {
  return runHelm(exec, kube, release, ['helm', 'uninstall', release, ...at(kube, namespace), '--ignore-not-found'])
}

const at = ({context}: {context: string}, namespace: string) => ['--kube-context', context, '--namespace', namespace]

/** Never killed: it would leave a pending revision. */
async function runHelm(
  exec: Exec,
  kube: Kube,
  release: string,
  argv: [string, ...string[]],
  input?: string,
): Promise<void> {
  const options = {timeoutMs: TIMEOUT_MS, graceMs: 'forever', ...(input !== undefined && {input})} as const
  await exec.write(argv, options).catch(error => {
    throw helmError(kube, release, error)
  })
}

function helmError(kube: Kube, release: string, error: unknown): unknown {
  if (!(error instanceof ToolError)) return error
  const asked = {context: kube.context, server: kube.server}
  const known = kubeErrorOf(asked, error.stderr)
  if (known) return known
  return new MlvError('MLV_RELEASE_FAILED', `Helm could not bring the release ${release} up to date.`, {
    cause: error,
    details: error.stderr.trim().split('\n').slice(-8),
    tryThis: [`helm --kube-context ${kube.context} -n ${kube.namespace} history ${release}`],
  })
}
