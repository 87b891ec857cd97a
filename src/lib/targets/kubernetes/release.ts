import type {Context} from '../../context.js'
import {formatArgv} from '../../tools/exec.js'
import {
  chartOf,
  helmVersion,
  type Revision,
  readRevisions,
  refuseForeign,
  rollbackRelease,
  type Upgrade,
  uninstallRelease,
  upgradeArgv,
  upgradeRelease,
} from '../../tools/helm.js'
import type {PhaseState, Step, StepProgress} from '../../types/phase.js'
import {handEdits} from './drift.js'
import {namespaceOf} from './names.js'

const SHOWN_EDITS = 3

export interface WantedUpgrade extends Upgrade, Wanted {}

interface Wanted extends Pick<Upgrade, 'config' | 'release'> {
  /** What runs there, such as MLflow. */
  readonly what: string
  readonly appVersion: string
  readonly chartVersion: string
}

/** How a release stands to what it should be; undefined where it is just that. */
export async function releaseState(context: Context, wanted: Wanted): Promise<PhaseState | undefined> {
  const kube = await context.kube()
  const revisions = await readRevisions(kube, wanted.release)
  refuseForeign(kube, wanted.release, revisions, kube.namespace)
  const [newest] = revisions
  if (!newest) return {kind: 'absent'}
  if (newest.status.startsWith('pending-')) return {kind: 'drifted', why: `Helm was cut off (${newest.status})`}
  if (newest.status !== 'deployed') return {kind: 'drifted', why: `its release is ${newest.status}`}
  const edits = await handEdits(kube, newest)
  const byHand = edits.length === 0 ? undefined : changedByHand(edits)
  if (newest.config !== wanted.config) {
    const why = [await whatChanges(newest, wanted), byHand].filter(Boolean).join('; ')
    return {kind: 'drifted', why}
  }
  return byHand === undefined ? undefined : {kind: 'drifted', why: byHand}
}

/** From what to what an upgrade goes. */
async function whatChanges(newest: Revision, wanted: Wanted): Promise<string> {
  const old = chartOf(newest)
  const pairs = [
    [wanted.what, old.appVersion, wanted.appVersion],
    ['chart', old.version, wanted.chartVersion],
  ].filter(([, from, to]) => from !== to)
  if (pairs.length === 0) return 'its settings have changed'
  return pairs.map(([what, from, to]) => `${what} ${from} → ${to}`).join(', ')
}

function changedByHand(edits: readonly string[]): string {
  const more = edits.length > SHOWN_EDITS ? `, and ${edits.length - SHOWN_EDITS} more` : ''
  return `changed by hand: ${edits.slice(0, SHOWN_EDITS).join('; ')}${more}`
}

export interface ReleaseStep extends Pick<Step, 'id' | 'title'> {
  upgrade(): Promise<Upgrade>
  /** Throws when what Helm made does not come up. */
  wait(progress: StepProgress): Promise<void>
  /** Where it goes back to; the revision before by default. */
  readonly goBackTo?: number | undefined
  /** What the revision before needs that it can work again. */
  beforeGoingBack?(progress: StepProgress): Promise<void>
}

/** Upgrades and waits; an upgrade that does not come up goes back to what was there before. */
export async function releaseStep(context: Context, {id, title, ...asked}: ReleaseStep): Promise<Step> {
  return {
    id,
    title,
    plan: await planOf(context, asked.upgrade),
    async run(progress) {
      const kube = await context.kube()
      const wanted = await asked.upgrade()
      const before = (await readRevisions(kube, wanted.release)).find(({status}) => status === 'deployed')
      progress.update(`helm upgrade ${wanted.release}`)
      try {
        await upgradeRelease(context.exec, kube, wanted)
        await asked.wait(progress)
      } catch (error) {
        await goBack(context, wanted, {...asked, version: asked.goBackTo ?? before?.version}, progress)
        throw error
      }
    },
  }
}

/** Not when the person ends it, and only where something worked before and something newer stands in its place. */
async function goBack(
  context: Context,
  {release}: Upgrade,
  {beforeGoingBack, version}: Pick<ReleaseStep, 'beforeGoingBack'> & {version: number | undefined},
  progress: StepProgress,
): Promise<void> {
  if (version === undefined || context.signal.aborted) return
  const kube = await context.kube()
  const [newest] = await readRevisions(kube, release).catch(() => [])
  if (!newest || newest.version <= version) return
  const goes = async () => {
    await beforeGoingBack?.(progress)
    progress.update(`going back to revision ${version} of ${release}`)
    await rollbackRelease(context.exec, kube, release, version)
  }
  await goes().then(
    () => context.reporter.warn(`${release} was rolled back to what it was before (revision ${version}).`),
    (failure: Error) => context.reporter.warn(`${release} could not be rolled back: ${failure.message}`),
  )
}

async function planOf(context: Context, upgrade: () => Promise<Upgrade>): Promise<readonly string[]> {
  const {kubernetes} = context.profile.settings
  const wanted = await upgrade()
  const [major] = await helmVersion(context.exec).catch(() => [4] as const)
  const argv = upgradeArgv({context: kubernetes.context ?? ''}, namespaceOf(context), wanted, major)
  return [`${formatArgv(argv)} < ${JSON.stringify(wanted.values)}`]
}

export async function uninstall(context: Context, release: string): Promise<void> {
  const kube = await context.kube()
  const revisions = await readRevisions(kube, release)
  refuseForeign(kube, release, revisions, kube.namespace)
  if (revisions.length > 0) await uninstallRelease(context.exec, kube, release)
}
