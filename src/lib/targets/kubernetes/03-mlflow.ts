import {z} from 'zod'

import type {Context} from '../../context.js'
import {readRevisions, type Upgrade} from '../../tools/helm.js'
import {deploymentSchema, jobSchema} from '../../tools/kube-objects.js'
import type {Phase, PhaseState, Step, StepProgress} from '../../types/phase.js'
import {readBucket} from './bucket.js'
import {groupPath, RELEASES} from './names.js'
import {lastLines, listPods} from './pods.js'
import {refuseSettings} from './refuse-settings.js'
import {releaseState, releaseStep, uninstall} from './release.js'
import {clusterState} from './state.js'
import {digestOfValues, mlflowValues, readChart, type Values} from './values.js'
import {waitFor, waitForPodsGone} from './waiting.js'

/** Which MLflow the databases were last made ready for. */
const recordSchema = z.object({version: z.string(), store: z.string()})
const SELECTOR = `app.kubernetes.io/instance=${RELEASES.mlflow}`
const SERVERS = `${SELECTOR},app.kubernetes.io/component=server`

export const mlflowPhase: Phase = {
  id: '03-mlflow',
  needs: ['02-cluster'],
  summary: 'Install MLflow with sign-in',
  status: mlflowState,
  async apply(context) {
    refuseSettings(context)
    return [...(await migrationSteps(context)), await installStep(context)]
  },
  async destroy(context) {
    return [
      {
        id: 'uninstall',
        title: 'Removing MLflow',
        plan: [`helm uninstall ${RELEASES.mlflow}`],
        async run(progress) {
          await uninstall(context, RELEASES.mlflow)
          await waitForPodsGone(context, SELECTOR, progress)
        },
      },
    ]
  },
}

async function wantedUpgrade(context: Context, changes: Values = {}): Promise<Upgrade & {appVersion: string}> {
  const kube = await context.kube()
  const {appVersion, folder, version} = await readChart(context, 'mlflow')
  const values = {...(await mlflowValues(context, await readBucket(context, kube))), ...changes}
  return {release: RELEASES.mlflow, chart: folder, values, config: digestOfValues(version, values), appVersion}
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
  const record = {version: appVersion, store: store ?? 'sqlite'}
  const known = context.dryRun ? undefined : await clusterState(context).read('03-mlflow', recordSchema)
  if (known?.version === record.version && known.store === record.store) return []
  const step = await releaseStep(context, {
    id: 'migrate',
    title: `Preparing the databases for MLflow ${appVersion}`,
    upgrade: () => wantedUpgrade(context, {migration: {enabled: true}}),
    wait: progress => waitForMigration(context, progress),
  })
  return [
    {
      ...step,
      async run(progress) {
        await step.run(progress)
        await clusterState(context).write('03-mlflow', recordSchema, record)
      },
    },
  ]
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

async function installStep(context: Context): Promise<Step> {
  return releaseStep(context, {
    id: 'install',
    title: 'Installing MLflow',
    upgrade: () => wantedUpgrade(context),
    wait: progress => waitForServers(context, progress),
  })
}

async function waitForServers(context: Context, progress: StepProgress): Promise<void> {
  const kube = await context.kube()
  await waitFor(context, {
    what: 'MLflow',
    selector: SERVERS,
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
