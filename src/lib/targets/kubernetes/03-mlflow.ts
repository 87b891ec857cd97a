import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {readRevisions, upgradeRelease} from '../../tools/helm.js'
import {deploymentSchema, jobSchema} from '../../tools/kube-objects.js'
import type {Phase, PhaseState, Step, StepProgress} from '../../types/phase.js'
import {readBucket} from './bucket.js'
import {ingressSteps} from './ingress.js'
import {groupPath, PODS, RELEASES} from './names.js'
import {lastLines, listPods} from './pods.js'
import {refuseSettings} from './refuse-settings.js'
import {releaseState, releaseStep, uninstall, type WantedUpgrade} from './release.js'
import {clusterState} from './state.js'
import {compareVersions, digestOfValues, mlflowValues, readChart, type Values} from './values.js'
import {waitFor, waitForPodsGone} from './waiting.js'

/** Which MLflow the databases were last made ready for. */
const recordSchema = z.object({
  version: z.string(),
  store: z.string(),
  /** While servers of this version have never been ready: the revision of the release before, and what its copies are called. */
  before: z.object({revision: z.number(), name: z.string()}).optional(),
})
type Migrated = z.output<typeof recordSchema>

export const mlflowPhase: Phase = {
  id: '03-mlflow',
  needs: ['02-cluster'],
  summary: 'Install MLflow with sign-in',
  status: mlflowState,
  async apply(context) {
    refuseSettings(context)
    return [...(await migrationSteps(context)), await installStep(context), ...ingressSteps(context, 'mlflow')]
  },
  async destroy(context) {
    return [
      {
        id: 'uninstall',
        title: 'Removing MLflow',
        plan: [`helm uninstall ${RELEASES.mlflow}`],
        async run(progress) {
          await uninstall(context, RELEASES.mlflow)
          await waitForPodsGone(context, PODS.mlflow, progress)
        },
      },
    ]
  },
}

async function wantedUpgrade(context: Context, changes: Values = {}): Promise<WantedUpgrade> {
  const kube = await context.kube()
  const {appVersion, folder, version} = await readChart(context, 'mlflow')
  const values = {...(await mlflowValues(context, await readBucket(context, kube))), ...changes}
  return {
    release: RELEASES.mlflow,
    chart: folder,
    values,
    config: digestOfValues(version, values),
    what: 'MLflow',
    appVersion,
    chartVersion: version,
  }
}

async function mlflowState(context: Context): Promise<PhaseState> {
  const kube = await context.kube()
  const wanted = await wantedUpgrade(context)
  const state = await releaseState(context, wanted)
  if (state) return state
  const found = await kube.get(deploymentPath(kube.namespace), deploymentSchema)
  const ready = found?.status.readyReplicas ?? 0
  if (ready === 0) return {kind: 'drifted', why: 'no pod of MLflow is ready'}
  return {kind: 'ready', detail: `MLflow ${wanted.appVersion}, ${ready} ${ready === 1 ? 'pod' : 'pods'}`}
}

const deploymentPath = (namespace: string) => groupPath('apps/v1', namespace, 'deployments', RELEASES.mlflow)

/** A step of its own, before the servers of a new version start; none where the databases know this version. */
async function migrationSteps(context: Context): Promise<Step[]> {
  const {store} = context.profile.settings.mlflow
  const {appVersion} = await readChart(context, 'mlflow')
  const wanted = {version: appVersion, store: store ?? 'sqlite'}
  const state = clusterState(context)
  const known = context.dryRun ? undefined : await state.read('03-mlflow', recordSchema)
  if (known?.version === wanted.version && known.store === wanted.store) return []
  if (known) refuseNewer(known, wanted)
  // One that was cut off after its copies were made goes on under their name.
  const begins = appVersion.replaceAll(/\W/g, '_')
  const name = known?.before?.name.startsWith(`${begins}_`)
    ? known.before.name
    : `${begins}_${Math.floor(Date.now() / 1000)}`
  const step = (goBackTo?: number) =>
    releaseStep(context, {
      id: 'migrate',
      title: `Preparing the databases for MLflow ${appVersion}, with a copy of what is there`,
      upgrade: () => wantedUpgrade(context, {migration: {enabled: true, name}}),
      wait: progress => waitForMigration(context, progress),
      goBackTo,
      beforeGoingBack: async progress => {
        // What failed by itself has cleaned up; what was cut off has not, and what never began need not.
        if (await wasCutOff(context)) await putBack(context, name, progress)
      },
    })
  return [
    {
      ...(await step()),
      async run(progress) {
        const revision = await servingRevision(context, known)
        if (revision !== undefined)
          await state.write('03-mlflow', recordSchema, {
            ...(known ?? {...wanted, version: ''}),
            before: {revision, name},
          })
        await stopServers(context, progress)
        await (await step(revision)).run(progress)
        await state.write('03-mlflow', recordSchema, {
          ...wanted,
          ...(revision !== undefined && {before: {revision, name}}),
        })
      },
    },
  ]
}

/** The revision whose servers run, or ran until an attempt to migrate was cut off. */
async function servingRevision(context: Context, known: Migrated | undefined): Promise<number | undefined> {
  const kube = await context.kube()
  const [pods, revisions] = await Promise.all([listPods(kube, PODS.servers), readRevisions(kube, RELEASES.mlflow)])
  const deployed = revisions.find(({status}) => status === 'deployed')?.version
  return pods.length === 0 ? (known?.before?.revision ?? deployed) : deployed
}

/** Nobody may write to what is copied: the Job waits until the last server has gone. */
async function stopServers(context: Context, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  if ((await listPods(kube, PODS.servers, {withLeaving: true})).length === 0) return
  await upgradeRelease(context.exec, kube, await wantedUpgrade(context, {migration: {enabled: true, hold: true}}))
  await waitForPodsGone(context, PODS.servers, progress)
}

async function wasCutOff(context: Context): Promise<boolean> {
  const pods = await listPods(await context.kube(), `${PODS.mlflow},app.kubernetes.io/component=migration`)
  const states = pods.flatMap(({status}) => status.containerStatuses ?? []).map(({state}) => state)
  const [last] = states.filter(state => state && !state.waiting).slice(-1)
  return last !== undefined && last.terminated?.exitCode !== 1
}

/** An older MLflow does not know the tables of a newer one. */
function refuseNewer(known: Migrated, wanted: Migrated): void {
  if (known.store !== wanted.store || compareVersions(known.version, wanted.version) <= 0) return
  throw new MlvError(
    'MLV_CLUSTER_VERSION',
    `The databases are those of MLflow ${known.version}; this mlv has ${wanted.version}, which cannot read them.`,
    {
      tryThis: [
        'Take the newer mlv, which your colleagues have.',
        'Or go back to the copies that lie beside the databases, as docs/kubernetes.md says.',
      ],
    },
  )
}

/** The databases as they were before the migration of that name; nothing where it had nothing to set aside. */
async function putBack(context: Context, name: string, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  await stopServers(context, progress)
  progress.update('putting the databases back to what they were')
  const upgrade = await wantedUpgrade(context, {migration: {enabled: true, name, back: true}})
  await upgradeRelease(context.exec, kube, upgrade)
  await waitForMigration(context, progress)
  await clusterState(context).remove('03-mlflow')
}

async function waitForMigration(context: Context, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  const [newest] = await readRevisions(kube, RELEASES.mlflow)
  const name = `${RELEASES.mlflow}-migration-${newest?.version}`
  const selector = `batch.kubernetes.io/job-name=${name}`
  await waitFor(context, {
    what: 'The migration of the databases',
    selector,
    progress,
    async isDone() {
      const job = await kube.get(groupPath('batch/v1', kube.namespace, 'jobs', name), jobSchema)
      if (!job) return false
      if ((job.status.succeeded ?? 0) > 0) return true
      const failed = job.status.conditions.find(({status, type}) => type === 'Failed' && status === 'True')
      if (!failed) return false
      const [pod] = await listPods(kube, selector)
      const words = pod ? (await lastLines(kube, pod)).at(-1) : undefined
      return words ?? failed.message ?? 'its Job failed'
    },
  })
}

/** Where the servers of a new version do not come up, the databases go back to what the old ones can read. */
async function installStep(context: Context): Promise<Step> {
  const state = clusterState(context)
  const step = (before: Migrated['before']) =>
    releaseStep(context, {
      id: 'install',
      title: 'Installing MLflow',
      upgrade: () => wantedUpgrade(context),
      wait: progress => waitForServers(context, progress),
      ...(before && {goBackTo: before.revision, beforeGoingBack: progress => putBack(context, before.name, progress)}),
    })
  return {
    ...(await step(undefined)),
    async run(progress) {
      const known = await state.read('03-mlflow', recordSchema)
      await (await step(known?.before)).run(progress)
      if (!known?.before) return
      const {before, ...rest} = known
      await state.write('03-mlflow', recordSchema, rest)
      context.reporter.note(
        `The databases of MLflow before: copies before_${before.name}, kept until the next migration.`,
      )
    },
  }
}

async function waitForServers(context: Context, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  await waitFor(context, {
    what: 'MLflow',
    selector: PODS.servers,
    progress,
    async isDone() {
      const found = await kube.get(deploymentPath(kube.namespace), deploymentSchema)
      if (!found || (found.status.observedGeneration ?? 0) < (found.metadata.generation ?? 0)) return false
      const wanted = found.spec.replicas ?? 1
      const {readyReplicas = 0, replicas = 0, updatedReplicas = 0} = found.status
      return wanted > 0 && updatedReplicas >= wanted && readyReplicas >= wanted && replicas === updatedReplicas
    },
  })
}
