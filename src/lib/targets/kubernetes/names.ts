import {createHash} from 'node:crypto'

import type {Context} from '../../context.js'

/** What everything of a profile is called in its namespace; a colleague's mlv finds it by these. */
export const RELEASES = {mlflow: 'mlflow', ray: 'ray'} as const
export const LOCK = 'mlv'
export const RECORD = 'mlv'
export const SECRETS = {mlflow: 'mlv-mlflow', ray: 'mlv-ray', store: 'mlv-store', bucket: 'mlv-bucket'} as const
export const MLFLOW_PORT = 5000
/** Of Ray Client, on the head. */
export const RAY_CLIENT_PORT = 10001
export const RAY_PORT = 8265
export const RAY_HEAD = 'ray-head-svc'
export const ADMIN = 'admin'
/** Which pods are which. */
export const PODS = {
  mlflow: `app.kubernetes.io/instance=${RELEASES.mlflow}`,
  servers: `app.kubernetes.io/instance=${RELEASES.mlflow},app.kubernetes.io/component=server`,
  ray: `ray.io/cluster=${RELEASES.ray}`,
  head: `ray.io/cluster=${RELEASES.ray},ray.io/node-type=head`,
  workers: `ray.io/cluster=${RELEASES.ray},ray.io/node-type=worker`,
} as const
export const PROFILE_LABEL = 'mlv.dev/profile'
/** Where pods of Ray find the sign-in of jobs. */
export const CREDENTIALS_FOLDER = '/etc/mlv/mlflow'
export const BUCKET_FOLDER = '/etc/mlv/bucket'
/** Where a claim of `storage: claim://NAME` is mounted. */
export const CLAIM_FOLDER = '/mnt/mlv'

export const namespaceOf = ({profile}: Context): string => profile.settings.kubernetes.namespace
export const namespacePath = (namespace: string): string => `/api/v1/namespaces/${namespace}`
export const corePath = (namespace: string, kind: string, name = ''): string =>
  `${namespacePath(namespace)}/${kind}${name && `/${name}`}`
export const groupPath = (group: string, namespace: string, kind: string, name = ''): string =>
  `/apis/${group}/namespaces/${namespace}/${kind}${name && `/${name}`}`
export const leasePath = (namespace: string, name = ''): string =>
  groupPath('coordination.k8s.io/v1', namespace, 'leases', name)
export const rayClusterPath = (namespace: string, name = ''): string =>
  groupPath('ray.io/v1', namespace, 'rayclusters', name)
export const rayJobPath = (namespace: string, name = ''): string => groupPath('ray.io/v1', namespace, 'rayjobs', name)

/** The name of a job's own cluster is on everything that belongs to it. */
export const JOB_LABEL = 'mlv.dev/job'
/** KubeRay adds to it and takes 47 characters at most; two ids that look alike differ in the end. */
export function jobClusterName(id: string): string {
  const words = id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 26)
    .replaceAll(/^-|-$/g, '')
  return `job-${words}-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
}

/** A secret of a user of MLflow, as jobs mount it. */
export const userSecret = (username: string): string =>
  username.startsWith('mlv-') ? username : `mlv-user-${username.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')}`
