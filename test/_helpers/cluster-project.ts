import {spawn} from 'node:child_process'
import {mkdir, mkdtemp, realpath, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {stringify} from 'yaml'

import {bin, type Ended, ended, node} from './journey.js'
import type {Cluster} from './kit.js'

export interface ClusterProject {
  readonly folder: string
  /** Runs the built mlv to its end, without a terminal. */
  mlv(...argv: string[]): Promise<Ended>
  start(...argv: string[]): ReturnType<typeof spawn>
  /** The same for a command with `--json`. */
  json(...argv: string[]): Promise<Json>
  end(): Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: the shapes of --json have snapshots of their own.
export type Json = any

/** Somebody's folder with a profile `team` on a cluster. */
export async function clusterProject(
  cluster: Pick<Cluster, 'env'>,
  settings: object,
  more: NodeJS.ProcessEnv = {},
): Promise<ClusterProject> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'mlv-team-')))
  await mkdir(join(folder, '집'))
  const project = join(folder, '집')
  await writeFile(join(project, 'mlv.yaml'), stringify({profiles: {team: {target: 'kubernetes', ...settings}}}))
  const env = {...cluster.env, MLV_CONFIG_DIR: join(folder, 'config'), ...more}
  const start = (...argv: string[]) =>
    spawn(node, [bin, ...argv], {cwd: project, env, stdio: ['ignore', 'pipe', 'pipe']})
  const mlv = (...argv: string[]) => ended(start(...argv))
  return {
    folder: project,
    start,
    mlv,
    async json(...argv) {
      const {stderr, stdout} = await mlv(...argv, '--json')
      try {
        return JSON.parse(stdout)
      } catch {
        throw new Error(`No JSON: ${stdout}${stderr}`)
      }
    },
    end: () => rm(folder, {force: true, recursive: true}),
  }
}
