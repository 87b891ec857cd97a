import {spawnSync} from 'node:child_process'
import {readdirSync} from 'node:fs'
import {basename, join} from 'node:path'
import {parseAllDocuments} from 'yaml'

import {clusterTool} from '../../scripts/cluster-tools.mjs'
import {root} from './source-tree.js'

/** As YAML gives it: the tests ask for paths that they know. */
// biome-ignore lint/suspicious/noExplicitAny: a manifest's shape is checked by the API server, not here.
export type Manifest = any

export type HelmName = 'helm3' | 'helm4'

export const chartNames = readdirSync(join(root, 'charts'))

export const chartFolder = (chart: string): string => join(root, 'charts', chart)

/** The sets of values that show what a chart can do; each also documents one way to use it. */
export function valuesOf(chart: string): string[] {
  const folder = join(chartFolder(chart), 'ci')
  return readdirSync(folder).map(name => join(folder, name))
}

export const sets: readonly (readonly [chart: string, values: string])[] = chartNames.flatMap(chart =>
  valuesOf(chart).map(values => [chart, basename(values, '-values.yaml')] as const),
)

export interface HelmEnded {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function helm(name: HelmName, args: readonly string[], env: NodeJS.ProcessEnv = {}): HelmEnded {
  const {error, status, stderr, stdout} = spawnSync(clusterTool(name), args, {
    encoding: 'utf8',
    env: {...process.env, ...env},
    maxBuffer: 64 << 20,
  })
  if (error) throw error
  return {code: status, stdout, stderr}
}

/** Helm's answer to a set of values and changes to it (`a.b=c`). */
export function template(chart: string, values: string, changes: readonly string[] = [], name: HelmName = 'helm4') {
  const file = join(chartFolder(chart), 'ci', `${values}-values.yaml`)
  const set = changes.flatMap(change => ['--set', change])
  return helm(name, ['template', 'it', chartFolder(chart), '--namespace', 'team', '-f', file, ...set])
}

export function render(chart: string, values: string, changes: readonly string[] = [], name?: HelmName): Manifest[] {
  const {code, stderr, stdout} = template(chart, values, changes, name)
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map(document => document.toJS())
    .filter(Boolean)
}

export const ofKind = (manifests: readonly Manifest[], kind: string): Manifest =>
  manifests.find(manifest => manifest.kind === kind)
