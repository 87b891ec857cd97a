import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {z} from 'zod'

import {MlvError, ToolError} from '../errors.js'
import type {Exec} from './exec.js'

/** One cluster out of a kubeconfig; whoever calls kubectl or helm names it, so that the current context never counts. */
export interface ClusterAccess {
  readonly context: string
  readonly namespace: string
}

export interface ClusterAddress {
  readonly server: string
  /** Of the authority's certificate: `sha256:…`; undefined where the system's authorities are trusted. */
  readonly ca: string | undefined
}

const clusterSchema = z.object({
  server: z.string(),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
})
const versionSchema = z.object({clientVersion: z.object({gitVersion: z.string()})})

export function kubectl({context, namespace}: ClusterAccess, ...args: string[]): [string, ...string[]] {
  return ['kubectl', '--context', context, '--namespace', namespace, ...args]
}

/** Names of the contexts that the kubeconfig has. */
export async function listContexts(exec: Exec): Promise<string[]> {
  const {stdout} = await exec.read(['kubectl', 'config', 'get-contexts', '-o', 'name'])
  return stdout.split('\n').filter(Boolean)
}

/** Where a context leads. Reads files only. */
export async function readAddress(exec: Exec, context: string): Promise<ClusterAddress> {
  const argv = [
    'config',
    'view',
    '--raw',
    '--minify',
    '--context',
    context,
    '-o',
    'jsonpath={.clusters[0].cluster}',
  ] as const
  const {stdout} = await exec.read(['kubectl', ...argv]).catch(error => {
    // kubectl takes a context that is not there for one without a cluster.
    if (error instanceof ToolError) return {stdout: ''}
    throw error
  })
  if (stdout.trim() === '') throw await noContext(exec, context)
  const cluster = clusterSchema.parse(JSON.parse(stdout))
  const data = cluster['certificate-authority-data']
  const file = cluster['certificate-authority']
  const pem = data ? Buffer.from(data, 'base64') : file ? await readFile(file).catch(() => undefined) : undefined
  const ca = pem && `sha256:${createHash('sha256').update(pem.toString('utf8').trim()).digest('hex')}`
  return {server: cluster.server, ca}
}

export async function noContext(exec: Exec, context: string | undefined): Promise<MlvError> {
  const known = await listContexts(exec)
  const message =
    context === undefined
      ? 'The profile names no context of the kubeconfig (`kubernetes.context`).'
      : `The kubeconfig has no context ${JSON.stringify(context)}.`
  return new MlvError('MLV_CLUSTER_CONTEXT', message, {
    details: [known.length > 0 ? `Contexts: ${known.join(', ')}.` : 'It has no context at all.'],
    tryThis: ['kubectl config get-contexts'],
  })
}

/** Such as `v1.34.2`. */
export async function kubectlVersion(exec: Exec): Promise<string> {
  const {stdout} = await exec.read(['kubectl', 'version', '--client', '-o', 'json'])
  return versionSchema.parse(JSON.parse(stdout)).clientVersion.gitVersion
}

/** The minor of `v1.34.2-eks-1`: 34. */
export const minorOf = (version: string): number => Number(/^v?1\.(\d+)/.exec(version)?.[1] ?? 0)
