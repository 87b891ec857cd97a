import type {Context} from '../../context.js'
import {anySchema, listOf} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {Secret} from '../../tools/secret.js'
import type {DestroyOptions, Kept, Phase, PhaseState, Step} from '../../types/phase.js'
import {JOBS_USER} from '../../types/target.js'
import {storePassword} from '../store-secret.js'
import {isBucket, saveBucket, usesBucket} from './bucket.js'
import {corePath, LOCK, leasePath, namespaceOf, namespacePath, RECORD, SECRETS, userSecret} from './names.js'
import {ensureNamespace, findNamespace, isOurNamespace} from './namespace.js'
import {completeSecret, credentialText, fileOfUser, makeKey, makePassword, readSecret, writeSecret} from './secrets.js'
import {claimOf} from './values.js'
import {waitUntilGone} from './waiting.js'

/** The namespace, and the keys and passwords in it. */
export const clusterPhase: Phase = {
  id: '02-cluster',
  needs: ['01-prepare'],
  summary: 'Make the namespace, its keys and passwords',
  status: clusterPhaseState,
  apply: async context => [
    {
      id: 'namespace',
      title: `Making namespace ${namespaceOf(context)}`,
      plan: [`kubectl create namespace ${namespaceOf(context)}, where it is not there`],
      run: () => ensureNamespace(context),
    },
    {
      id: 'secrets',
      title: 'Making keys and passwords',
      plan: [`Write Secrets ${wantedSecrets(context).join(', ')}, where they are not there`],
      run: () => makeSecrets(context),
    },
  ],
  destroy: async (context, {deleteData}) => (deleteData ? deletion(context) : []),
  kept,
}

function wantedSecrets(context: Context): string[] {
  const {mlflow} = context.profile.settings
  return [
    SECRETS.mlflow,
    SECRETS.ray,
    userSecret(JOBS_USER),
    ...(mlflow.store === undefined ? [] : [SECRETS.store]),
    ...(usesBucket(context) ? [SECRETS.bucket] : []),
  ]
}

async function makeSecrets(context: Context): Promise<void> {
  const kube = await context.kube()
  const password = makePassword()
  await Promise.all([
    completeSecret(kube, SECRETS.mlflow, {'secret-key': makeKey, 'admin-password': makePassword}),
    completeSecret(kube, SECRETS.ray, {auth_token: makeKey}),
    // Pods of Ray mount it before MLflow has the user.
    completeSecret(kube, userSecret(JOBS_USER), {
      [fileOfUser(JOBS_USER)]: () => credentialText(JOBS_USER, password),
    }),
    saveStorePassword(context, kube),
    saveBucket(context, kube),
  ])
}

/** From whoever has it; for a colleague without it the one in the cluster stays. */
async function saveStorePassword(context: Context, kube: Kube): Promise<void> {
  if (context.profile.settings.mlflow.store === undefined) return
  const given = await storePassword(context)
  if (given) await writeSecret(kube, SECRETS.store, {password: given})
  else await completeSecret(kube, SECRETS.store, {password: () => new Secret('')})
}

async function clusterPhaseState(context: Context): Promise<PhaseState> {
  const kube = await context.kube()
  const found = await findNamespace(kube)
  if (!found) return {kind: 'absent'}
  if (found !== 'unknown' && found.metadata.deletionTimestamp)
    return {kind: 'drifted', why: `namespace ${kube.namespace} is being deleted`}
  const names = wantedSecrets(context)
  const [secrets, problem, given] = await Promise.all([
    Promise.all(names.map(name => readSecret(kube, name))),
    claimProblem(context, kube),
    storePassword(context),
  ])
  const missing = names.filter((_, at) => secrets[at] === undefined)
  if (missing.length === names.length) return {kind: 'absent'}
  if (missing.length > 0) return {kind: 'drifted', why: `Secret ${missing.join(', ')} is missing`}
  if (problem) return {kind: 'drifted', why: problem}
  const stored = secrets[names.indexOf(SECRETS.store)]?.password
  if (given && stored !== undefined && stored !== given.reveal())
    return {kind: 'drifted', why: 'the password of the database has changed'}
  return {kind: 'ready', detail: `namespace ${kube.namespace}`}
}

async function claimProblem(context: Context, kube: Kube): Promise<string | undefined> {
  const claim = claimOf(context.profile.settings.storage)
  if (claim === undefined) return undefined
  const found = await kube.get(corePath(kube.namespace, 'persistentvolumeclaims', claim), anySchema)
  return found ? undefined : `there is no claim ${claim} for checkpoints (storage: claim://${claim})`
}

async function deletion(context: Context): Promise<readonly Step[]> {
  const kube = await context.kube()
  const isOurs = await isOurNamespace(kube)
  const path = namespacePath(kube.namespace)
  if (isOurs)
    return [
      {
        id: 'namespace',
        title: `Deleting namespace ${kube.namespace} with runs, models and keys`,
        plan: [`kubectl delete namespace ${kube.namespace}`],
        async run(progress) {
          await kube.remove(path)
          await waitUntilGone(context, path, `namespace ${kube.namespace}`, progress)
        },
      },
    ]
  if (!(await findNamespace(kube))) return []
  const claims = await ownClaims(kube)
  const ours = [
    ...Object.values(SECRETS).map(name => corePath(kube.namespace, 'secrets', name)),
    corePath(kube.namespace, 'secrets', userSecret(JOBS_USER)),
    ...claims.map(({metadata: {name}}) => corePath(kube.namespace, 'persistentvolumeclaims', name)),
    corePath(kube.namespace, 'configmaps', RECORD),
    leasePath(kube.namespace, LOCK),
  ]
  return [
    {
      id: 'objects',
      title: `Deleting runs, models and keys in namespace ${kube.namespace}`,
      plan: ours.map(path => `kubectl delete --raw ${path}`),
      async run(progress) {
        for (const path of ours) await kube.remove(path)
        for (const path of ours) await waitUntilGone(context, path, path, progress)
      },
    },
  ]
}

async function ownClaims(kube: Kube) {
  const selector = encodeURIComponent('app.kubernetes.io/name=mlflow')
  const path = `${corePath(kube.namespace, 'persistentvolumeclaims')}?labelSelector=${selector}`
  return (await kube.get(path, listOf(anySchema)))?.items ?? []
}

async function kept(context: Context, {deleteData}: DestroyOptions): Promise<readonly Kept[]> {
  const {kubernetes, mlflow, storage} = context.profile.settings
  const {namespace} = kubernetes
  const kube = await context.kube()
  const isThere = (await findNamespace(kube)) !== undefined
  const claims = deleteData || !isThere ? [] : await ownClaims(kube)
  return [
    ...claims.map(({metadata: {name}}) => ({
      what: 'runs, models and sign-ins',
      where: `claim ${name} in namespace ${namespace}`,
    })),
    ...(deleteData || !isThere ? [] : [{what: 'keys and passwords', where: `namespace ${namespace}`, monthlyPrice: 0}]),
    ...(deleteData && isThere ? [{what: 'a namespace that mlv did not make', where: namespace, monthlyPrice: 0}] : []),
    ...(mlflow.store === undefined ? [] : [{what: 'runs and sign-ins', where: mlflow.store}]),
    ...(mlflow.artifacts !== undefined && isBucket(mlflow.artifacts)
      ? [{what: 'models and files', where: mlflow.artifacts}]
      : []),
    ...(storage === undefined ? [] : [{what: 'checkpoints', where: storage}]),
  ]
}
