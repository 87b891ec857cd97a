import {execFile, spawnSync} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, mkdtemp, realpath, rm, symlink} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {delimiter, isAbsolute, join} from 'node:path'
import {promisify} from 'node:util'

import {clusterTool} from '../../scripts/cluster-tools.mjs'

const run = promisify(execFile)

// A control plane takes ports from the first one on.
const PORTS = 10

export const hasKit = process.env.MLV_TEST_KIT !== undefined
if (!hasKit) console.log('Skipped: MLV_TEST_KIT does not name the kit that brings a real control plane of Kubernetes.')

/** Suites that want pods which really run: root, 5 GiB of disk, images that are built first. */
export const hasRealNode = hasKit && process.env.MLV_TEST_REAL_NODE !== undefined
if (hasKit && !hasRealNode)
  console.log('Skipped: suites on a node whose pods really run; MLV_TEST_REAL_NODE=1 asks for them.')

export interface Cluster {
  readonly env: NodeJS.ProcessEnv
  /** The API server's, the first of ten. */
  readonly port: number
  /** kubectl's answer; throws with its words when it refuses. */
  kubectl(args: readonly string[], input?: string): string
  /** Where the kit keeps the pid files and logs of its programs. */
  readonly folder: string
  stop(): Promise<void>
}

const simulated = ['--nodes', '2', '--gpu-nodes', '5']

/** A real control plane of Kubernetes with KubeRay's operator; its nodes are simulated, five of them have a GPU each. */
export async function startCluster(nodes: readonly string[] = simulated): Promise<Cluster> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'mlv-cluster-')))
  const kubectl = clusterTool('kubectl')
  const bin = join(folder, 'bin')
  await mkdir(bin)
  for (const [name, program] of [
    ['kubectl', kubectl],
    ['helm', clusterTool('helm4')],
  ] as const)
    if (isAbsolute(program)) await symlink(program, join(bin, name))
  const env = {...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`}
  const kit = join(process.env.MLV_TEST_KIT ?? '', 'kit')
  const state = join(folder, 'kit')
  await mkdir(state)
  const port = await freePorts()
  const {stdout} = await run(kit, ['up', state, '--api-port', String(port), ...nodes], {env})
  const withConfig = {...env, KUBECONFIG: stdout.trim().split('\n').at(-1)}
  return {
    env: withConfig,
    folder: state,
    port,
    kubectl(args, input) {
      const ended = spawnSync('kubectl', args, {encoding: 'utf8', env: withConfig, input, maxBuffer: 64 << 20})
      if (ended.status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${ended.stderr}`)
      return ended.stdout
    },
    async stop() {
      await run(kit, ['down', state], {env})
      await rm(folder, {force: true, recursive: true})
    },
  }
}

/** The first of ten free ports, below those that the system gives away by itself. */
async function freePorts(): Promise<number> {
  for (;;) {
    const first = 20_000 + PORTS * Math.floor(Math.random() * 1000)
    const servers = Array.from({length: PORTS}, (_, at) => createServer().listen(first + at, '127.0.0.1'))
    const free = await Promise.all(
      servers.map(server =>
        Promise.race([once(server, 'listening').then(() => true), once(server, 'error').then(() => false)]).catch(
          () => false,
        ),
      ),
    )
    await Promise.all(servers.filter((_, at) => free[at]).map(server => new Promise(resolve => server.close(resolve))))
    if (!free.includes(false)) return first
  }
}
