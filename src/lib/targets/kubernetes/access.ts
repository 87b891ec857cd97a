import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {namespaceSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {kubectlVersion, minorOf} from '../../tools/kubectl.js'
import {namespacePath} from './names.js'

/** The oldest that the charts take; Kubernetes itself supports three minors. */
const OLDEST_MINOR = 31

interface Right {
  readonly verbs: readonly string[]
  readonly group: string
  readonly resource: string
  readonly subresource?: string
}

const CHANGE = ['get', 'list', 'create', 'update', 'patch', 'delete'] as const
const namespaced: readonly Right[] = [
  ...['secrets', 'configmaps', 'services', 'serviceaccounts', 'persistentvolumeclaims'].map(resource => ({
    verbs: CHANGE,
    group: '',
    resource,
  })),
  {verbs: ['get', 'list', 'delete'], group: '', resource: 'pods'},
  {verbs: ['get'], group: '', resource: 'pods', subresource: 'log'},
  {verbs: ['create'], group: '', resource: 'pods', subresource: 'portforward'},
  {verbs: ['list'], group: '', resource: 'events'},
  {verbs: CHANGE, group: 'apps', resource: 'deployments'},
  {verbs: CHANGE, group: 'batch', resource: 'jobs'},
  {verbs: CHANGE, group: 'autoscaling', resource: 'horizontalpodautoscalers'},
  {verbs: CHANGE, group: 'policy', resource: 'poddisruptionbudgets'},
  {verbs: CHANGE, group: 'networking.k8s.io', resource: 'networkpolicies'},
  {verbs: CHANGE, group: 'networking.k8s.io', resource: 'ingresses'},
  {verbs: ['get', 'create', 'update', 'delete'], group: 'coordination.k8s.io', resource: 'leases'},
  {verbs: CHANGE, group: 'ray.io', resource: 'rayclusters'},
  {verbs: CHANGE, group: 'ray.io', resource: 'rayjobs'},
]
const forOperator: readonly Right[] = [
  {verbs: ['get', 'create', 'patch'], group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions'},
  {verbs: ['create', 'patch', 'delete'], group: 'rbac.authorization.k8s.io', resource: 'clusterroles'},
  {verbs: ['create', 'patch', 'delete'], group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings'},
]

const reviewSchema = z.object({status: z.object({allowed: z.boolean()})})

/** Asks for every right that setup will need before it makes anything; what is missing comes in one list. */
export async function checkRights(context: Context, {needsOperator}: {needsOperator: boolean}): Promise<void> {
  const kube = await context.kube()
  // Whoever may not even ask for it is told what else is lacking, too.
  const hasNamespace = await kube.get(namespacePath(kube.namespace), namespaceSchema).then(
    found => found !== undefined,
    () => true,
  )
  const wanted = [
    ...namespaced.map(right => ({...right, namespace: kube.namespace})),
    ...(hasNamespace ? [] : [{verbs: ['create'], group: '', resource: 'namespaces'}]),
    ...(needsOperator ? forOperator : []),
  ]
  const answers = await Promise.all(
    wanted.flatMap(({verbs, ...rest}) =>
      verbs.map(async verb => ({verb, ...rest, isAllowed: await isAllowed(kube, {verb, ...rest})})),
    ),
  )
  const lacking = new Map<string, string[]>()
  for (const {group, isAllowed: allowed, resource, subresource, verb, ...at} of answers) {
    if (allowed) continue
    const where = 'namespace' in at ? ` in namespace ${at.namespace}` : ' in the whole cluster'
    const what = `${resource}${group && `.${group}`}${subresource ? `/${subresource}` : ''}${where}`
    lacking.set(what, [...(lacking.get(what) ?? []), verb])
  }
  if (lacking.size === 0) return
  throw new MlvError('MLV_CLUSTER_FORBIDDEN', `The user of context ${kube.context} lacks what setup needs.`, {
    details: [...lacking].map(([what, verbs]) => `${verbs.join(', ')}: ${what}`),
    tryThis: [`kubectl --context ${kube.context} auth whoami`, 'Ask whoever runs the cluster for these rights.'],
  })
}

async function isAllowed(
  kube: Kube,
  asked: {verb: string; group: string; resource: string; subresource?: string; namespace?: string},
): Promise<boolean> {
  const {status} = await kube.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', reviewSchema, {
    body: {apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: {resourceAttributes: asked}},
  })
  return status.allowed
}

/** Refuses a cluster that is too old; warns of a kubectl that Kubernetes does not support with it. */
export async function checkVersions(context: Context): Promise<string> {
  const kube = await context.kube()
  const [{gitVersion}, client] = await Promise.all([
    kube.call('GET', '/version', z.object({gitVersion: z.string()})),
    kubectlVersion(context.exec),
  ])
  if (minorOf(gitVersion) < OLDEST_MINOR)
    throw new MlvError('MLV_CLUSTER_VERSION', `The cluster runs Kubernetes ${gitVersion}; mlv needs 1.${OLDEST_MINOR}.`)
  if (Math.abs(minorOf(gitVersion) - minorOf(client)) > 1)
    context.reporter.warn(
      `kubectl is ${client}, the cluster ${gitVersion}: Kubernetes supports a difference of one minor version.`,
    )
  return gitVersion
}
