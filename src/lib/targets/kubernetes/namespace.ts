import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {KubeError} from '../../tools/kube-error.js'
import {type Namespace, namespaceSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {checkRights, checkVersions} from './access.js'
import {namespacePath, PROFILE_LABEL} from './names.js'

/** Whether KubeRay's kinds are served, and in the version that the charts use. */
export async function rayKinds(kube: Kube): Promise<'served' | 'absent'> {
  const group = await kube.get('/apis/ray.io', z.object({versions: z.array(z.object({version: z.string()}))}))
  if (!group) return 'absent'
  if (group.versions.some(({version}) => version === 'v1')) return 'served'
  const found = group.versions.map(({version}) => version).join(', ')
  throw new MlvError(
    'MLV_CLUSTER_VERSION',
    `The cluster has KubeRay's kinds as ${found}; mlv needs v1 (KubeRay 1.6).`,
    {
      tryThis: [`kubectl --context ${kube.context} get crd rayclusters.ray.io`],
    },
  )
}

const specSchema = z.object({properties: z.object({spec: z.object({properties: z.record(z.string(), z.unknown())})})})
const openApiSchema = z.object({
  components: z.object({schemas: z.object({'io.ray.v1.RayCluster': specSchema.optional().catch(undefined)})}),
})

/** An older kind drops in silence what it does not know: of a RayCluster it would drop the sign-in. */
export async function refuseOldRayKinds(kube: Kube): Promise<void> {
  // Who may look into one namespace only may read this, too; the CRD itself takes a right of its own.
  const found = await kube.get('/openapi/v3/apis/ray.io/v1', openApiSchema).catch(() => undefined)
  const fields = found?.components.schemas['io.ray.v1.RayCluster']?.properties.spec.properties
  if (fields === undefined || 'authOptions' in fields) return
  throw new MlvError(
    'MLV_CLUSTER_VERSION',
    "The cluster has KubeRay's kinds in a version older than 1.6: Ray would run without its token. mlv leaves them alone.",
    {
      tryThis: [
        `kubectl --context ${kube.context} get crd rayclusters.ray.io`,
        "Ask whoever runs the cluster to upgrade KubeRay's operator and its CRDs to 1.6.",
      ],
    },
  )
}

/** Undefined where it is not there; `unknown` for whoever may only look into it, as is usual. */
export async function findNamespace(kube: Kube): Promise<Namespace | 'unknown' | undefined> {
  return kube.get(namespacePath(kube.namespace), namespaceSchema).catch(error => {
    if (error instanceof KubeError && error.status === 403) return 'unknown'
    throw error
  })
}

/** Makes the namespace after everything else that setup needs has proved to be allowed. */
export async function ensureNamespace(context: Context): Promise<void> {
  const kube = await context.kube()
  const found = await findNamespace(kube)
  if (found === 'unknown') return checkRights(context, {needsOperator: false})
  if (found?.metadata.deletionTimestamp)
    throw new MlvError('MLV_CLUSTER_NAMESPACE', `Namespace ${kube.namespace} is being deleted.`, {
      tryThis: [`kubectl --context ${kube.context} get namespace ${kube.namespace}`],
    })
  if (found) return
  await checkVersions(context)
  await checkRights(context, {needsOperator: (await rayKinds(kube)) === 'absent'})
  const labels = {
    'app.kubernetes.io/managed-by': 'mlv',
    [PROFILE_LABEL]: context.profile.name,
    'pod-security.kubernetes.io/enforce': 'restricted',
  }
  const body = {apiVersion: 'v1', kind: 'Namespace', metadata: {name: kube.namespace, labels}}
  await kube.call('POST', '/api/v1/namespaces', namespaceSchema, {body}).catch(error => {
    if (!(error instanceof KubeError && error.status === 409)) throw error
  })
}

/** Whether mlv made it: only then may it go. */
export async function isOurNamespace(kube: Kube): Promise<boolean> {
  const found = await findNamespace(kube)
  return found !== 'unknown' && found?.metadata.labels?.['app.kubernetes.io/managed-by'] === 'mlv'
}
