import {setTimeout as pause} from 'node:timers/promises'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {formatArgv} from '../../tools/exec.js'
import {readRevisions, type Upgrade, uninstallRelease, upgradeArgv, upgradeRelease} from '../../tools/helm.js'
import {anySchema, deploymentSchema, listOf} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import type {Step} from '../../types/phase.js'
import {rayKinds, refuseOldRayKinds} from './namespace.js'
import {digestOfValues} from './values.js'

const RELEASE = 'kuberay-operator'
const NAMESPACE = 'kuberay-system'
const PAUSE_MS = 500

/** The namespace that KubeRay's operator runs in; undefined where it runs outside the cluster, or nowhere. */
export async function operatorNamespace(kube: Kube): Promise<string | undefined> {
  return (await findOperator(kube))?.metadata.namespace
}

/** One of another minor version may do well; who looks for a cause has to know of it. */
async function warnOfOther(context: Context, kube: Kube): Promise<void> {
  const image = (await findOperator(kube))?.spec.template?.spec.containers[0]?.image ?? ''
  const [, version, minor] = /:v?((\d+\.\d+)\.\d+)/.exec(image) ?? []
  const known = context.profile.settings.charts.kuberayVersion
  if (version === undefined || minor === undefined || known.startsWith(`${minor}.`)) return
  context.reporter.warn(`KubeRay's operator on this cluster is ${version}; mlv was tried with ${known}.`)
}

async function findOperator(kube: Kube) {
  const selector = encodeURIComponent('app.kubernetes.io/name=kuberay-operator')
  const path = `/apis/apps/v1/deployments?labelSelector=${selector}`
  // Whoever may look into one namespace only takes the usual one for granted.
  const found = await kube.get(path, listOf(deploymentSchema)).catch(() => undefined)
  return found?.items[0]
}

/** Installs the operator where KubeRay's kinds are not served; one that serves already is used and never touched. */
export async function operatorSteps(context: Context): Promise<Step[]> {
  const {kuberay, kuberayVersion} = context.profile.settings.charts
  const {context: name = ''} = context.profile.settings.kubernetes
  const isFolder = !/^(oci|https?):\/\//.test(kuberay)
  const values = {}
  const upgrade: Upgrade = {
    release: RELEASE,
    chart: kuberay,
    version: isFolder ? undefined : kuberayVersion,
    values,
    config: digestOfValues(kuberayVersion, values),
    createNamespace: true,
  }
  return [
    {
      id: 'operator',
      title: "Installing KubeRay's operator",
      plan: [`${formatArgv(upgradeArgv({context: name}, NAMESPACE, upgrade, 4))}, where its kinds are not served`],
      async run(progress) {
        const kube = await context.kube()
        const [kinds, ours] = await Promise.all([rayKinds(kube), ownRevisions(kube)])
        if (kinds === 'served') await refuseOldRayKinds(kube)
        if (kinds === 'served' && (ours.length === 0 || ours[0]?.status === 'deployed')) {
          progress.update('one that serves already is used')
          await warnOfOther(context, kube)
          return
        }
        await upgradeRelease(context.exec, kube, upgrade, NAMESPACE)
        while ((await rayKinds(kube)) === 'absent') {
          context.signal.throwIfAborted()
          await pause(PAUSE_MS)
        }
      },
    },
  ]
}

const ownRevisions = async (kube: Kube) =>
  (await readRevisions(kube, RELEASE, NAMESPACE).catch(() => [])).filter(({config}) => config !== undefined)

/** Ours goes with the last Ray cluster; one that others use, or made, stays. */
export async function removeOperator(context: Context): Promise<void> {
  const kube = await context.kube()
  if ((await ownRevisions(kube)).length === 0) return
  const clusters = await kube.get('/apis/ray.io/v1/rayclusters', listOf(anySchema)).catch(() => undefined)
  if (!clusters || clusters.items.length > 0) {
    context.reporter.note("KubeRay's operator stays: other Ray clusters need it.")
    return
  }
  await uninstallRelease(context.exec, kube, RELEASE, NAMESPACE)
  const kinds = await kube.get('/apis/ray.io', z.looseObject({}))
  if (kinds) context.reporter.note("KubeRay's kinds (CRDs) stay on the cluster, as Helm leaves them.")
}
