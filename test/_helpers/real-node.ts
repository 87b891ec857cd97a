import {execFile, spawn, spawnSync} from 'node:child_process'
import {once} from 'node:events'
import {accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {mkdir, open, rm, statfs, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {delimiter, dirname, join} from 'node:path'
import {promisify} from 'node:util'

import type {ImageId} from '../../src/lib/images/image.js'
import {type Cluster, startCluster} from './kit.js'
import {type NodeImage, provideImages} from './node-images.js'

const run = promisify(execFile)
const lockFile = join(tmpdir(), 'mlv-real-node')
const GIB = 2 ** 30

export interface RealNode extends Cluster {
  readonly images: Readonly<Record<ImageId, NodeImage>>
}

/** By the Debian package that has them. */
const programs: Readonly<Record<string, string>> = {
  as: 'binutils',
  buildah: 'buildah',
  conntrack: 'conntrack',
  containerd: 'containerd',
  debootstrap: 'debootstrap',
  iptables: 'iptables',
  runc: 'runc',
}

/** Why no real node can run on this machine; undefined where it can. */
export async function realNodeProblem(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'The real node is Linux on x86-64.'
  if (process.getuid?.() !== 0) return 'The real node wants root: it mounts file systems and makes a network bridge.'
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  const lacking = Object.entries(programs).flatMap(([program, pack]) =>
    folders.some(folder => existsSync(join(folder, program))) ? [] : [pack],
  )
  if (!existsSync('/usr/lib/cni/bridge')) lacking.push('containernetworking-plugins')
  if (lacking.length > 0) return `Debian packages are missing: apt-get install ${lacking.join(' ')}`
  try {
    accessSync('/sys/fs/cgroup', constants.W_OK)
  } catch {
    return 'The real node wants control groups: /sys/fs/cgroup cannot be written.'
  }
  const refusal = mountRefusal()
  if (refusal) return `The real node wants overlay mounts under ${tmpdir()}, which are refused here: ${refusal}`
  const {bavail, bsize} = await statfs(tmpdir())
  if (bavail * bsize < 5 * GIB)
    return `The real node takes 5 GiB of disk; ${tmpdir()} has ${bavail * bsize} bytes free.`
  return undefined
}

function mountRefusal(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'mlv-mount-'))
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map(name => join(folder, name))
  spawnSync('mkdir', [lower, upper, work, merged].map(String))
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, String(merged)], {encoding: 'utf8'})
  if (mounted.status === 0) spawnSync('umount', [String(merged)])
  rmSync(folder, {force: true, recursive: true})
  return mounted.status === 0 ? undefined : (mounted.error?.message ?? mounted.stderr.trim())
}

/** A cluster whose one node is real: pods of both images run on it. One at a time on a machine; a second one waits. */
export async function startRealNode(): Promise<RealNode> {
  const problem = await realNodeProblem()
  if (problem) throw new Error(problem)
  const release = await takeTheMachine()
  try {
    const cluster = await startCluster(['--real', '--nodes', '0'])
    writeFileSync(lockFile, cluster.folder)
    const forwarder = await completeNode(cluster)
    const stop = async () => {
      await cluster.stop()
      forwarder.kill()
      await clearNetwork()
      await release()
    }
    try {
      const kit = join(process.env.MLV_TEST_KIT ?? '', 'kit')
      const images = await provideImages(async archive => {
        await run(kit, ['load', cluster.folder, archive])
      })
      return {...cluster, images, stop}
    } catch (error) {
      await stop()
      throw error
    }
  } catch (error) {
    await release()
    throw error
  }
}

const nodeBin = async () => (await run(join(process.env.MLV_TEST_KIT ?? '', 'kit'), ['bin', 'node'])).stdout.trim()

/**
 * What the kit leaves out. Its kube-proxy ends at once, because it does not take a port 0 for its health; and pods cannot reach
 * the API server, which listens on 127.0.0.1 alone: Ray's autoscaler has to.
 */
async function completeNode({env, folder, kubectl, port}: Cluster) {
  const address = '10.244.0.1'
  const proxy = ['--proxy-mode', 'iptables', '--cluster-cidr', '10.244.0.0/24', '--hostname-override', 'real-1']
  const ports = ['--metrics-bind-address', `127.0.0.1:${port + 9}`, '--healthz-bind-address', `127.0.0.1:${port + 8}`]
  const argv = ['--kubeconfig', env.KUBECONFIG ?? '', '--conntrack-max-per-core', '0', ...proxy, ...ports]
  const log = await open(join(folder, 'kube-proxy.log'), 'w')
  const kubeProxy = spawn(join(await nodeBin(), 'kube-proxy'), argv, {
    detached: true,
    env,
    stdio: ['ignore', log.fd, log.fd],
  })
  await log.close()
  kubeProxy.unref()
  await writeFile(join(folder, 'kube-proxy.pid'), String(kubeProxy.pid))
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {name: 'kubernetes', namespace: 'default', labels: {'kubernetes.io/service-name': 'kubernetes'}},
    addressType: 'IPv4',
    endpoints: [{addresses: [address], conditions: {ready: true}}],
    ports: [{name: 'https', port, protocol: 'TCP'}],
  }
  kubectl(['apply', '-f', '-'], JSON.stringify(slice))
  // A process of its own, because tests call programs synchronously; it ends with this one.
  const forward = `process.stdin.resume().on('end', () => process.exit())
    const net = require('node:net')
    net.createServer(from => {
      const to = net.connect(${port}, '127.0.0.1')
      from.pipe(to).pipe(from)
      for (const end of [from, to]) end.on('error', () => { from.destroy(); to.destroy() })
    }).listen(${port}, '${address}', () => console.log('listening'))`
  const forwarder = spawn(process.execPath, ['-e', forward], {stdio: ['pipe', 'pipe', 'inherit']})
  await once(forwarder.stdout, 'data')
  return forwarder
}

async function clearNetwork(): Promise<void> {
  await run(join(await nodeBin(), 'kube-proxy'), ['--cleanup']).catch(() => undefined)
  await run('ip', ['link', 'delete', 'kit0']).catch(() => undefined)
}

/** Holds a lock until it is released or this process is gone, and takes down what the one before left behind. */
async function takeTheMachine(): Promise<() => Promise<void>> {
  await mkdir(dirname(lockFile), {recursive: true})
  const holder = spawn('flock', [`${lockFile}.lock`, 'sh', '-c', 'echo taken; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const left = existsSync(lockFile) ? readFileSync(lockFile, 'utf8').trim() : ''
  if (left !== '' && existsSync(left)) {
    await run(join(process.env.MLV_TEST_KIT ?? '', 'kit'), ['down', left])
    await rm(dirname(left), {force: true, recursive: true})
    await clearNetwork()
  }
  return async () => {
    await rm(lockFile, {force: true})
    holder.stdin.end()
    if (holder.exitCode === null) await once(holder, 'exit')
  }
}
