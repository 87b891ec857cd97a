import type {Context} from '../context.js'
import type {MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import type {JobSpec} from '../types/job.js'
import type {Packages} from '../types/target.js'
import {type GitState, readGit} from './git.js'
import {hashOf, readPackages} from './packages.js'
import type {JobPlan} from './plan.js'
import {tags} from './record.js'
import type {Package} from './upload-package.js'

/** Files of a run that make it repeatable. */
export const files = {
  spec: 'job/spec.json',
  parameters: 'job/parameters.json',
  upload: 'job/upload.json',
  code: 'job/code.zip',
  mlvision: 'job/mlvision.zip',
  patch: 'job/changes.patch',
  lock: 'job/requirements.lock',
  torch: 'job/torch-versions.json',
  requirements: 'job/requirements.txt',
  log: 'job/log.txt',
} as const

/** Where a job's code and environment come from. */
export interface Origin {
  readonly git: GitState | undefined
  readonly packages: Packages | undefined
}

export async function readOrigin(context: Context, plan: JobPlan): Promise<Origin> {
  if (plan.saved) {
    const {commit, packages, patch} = plan.saved
    return {packages, git: commit ? {commit, branch: '', isDirty: Boolean(patch), patch: patch ?? ''} : undefined}
  }
  const [git, packages] = await Promise.all([readGit(context.exec, context.cwd), readPackages(context)])
  return {git, packages}
}

/** The durable record of a job, in its run's tags. */
export function runTags(
  context: Context,
  plan: JobPlan,
  {git, isOwn, packages}: Origin & {readonly isOwn: boolean},
): Record<string, string> {
  return {
    [tags.name]: plan.name,
    [tags.kind]: plan.kind,
    [tags.template]: plan.template ?? '',
    [tags.user]: context.user,
    [tags.submissionId]: plan.submissionId,
    [tags.command]: plan.commandLine,
    [tags.cpus]: String(plan.resources.cpus),
    [tags.gpus]: String(plan.resources.gpus),
    [tags.version]: context.version,
    'mlflow.user': context.user,
    'mlflow.source.name': plan.commandLine,
    ...(packages && {[tags.lock]: hashOf(packages)}),
    ...(isOwn && {[tags.isolation]: 'cluster'}),
    ...(plan.rerunOf !== undefined && {[tags.rerunOf]: plan.rerunOf}),
    ...(git && {
      [tags.commit]: git.commit,
      [tags.branch]: git.branch,
      [tags.dirty]: String(git.isDirty),
      'mlflow.source.git.commit': git.commit,
      'mlflow.source.git.branch': git.branch,
    }),
  }
}

/** What a rerun needs, as files of the run. */
export async function saveRecord(
  mlflow: MlflowClient,
  run: Run,
  what: {plan: JobPlan; spec: JobSpec; origin: Origin; packed: Package | undefined},
): Promise<void> {
  const {origin, packed, plan, spec} = what
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
  const content: [string, Uint8Array<ArrayBuffer> | string | undefined][] = [
    [files.spec, json(spec)],
    [files.parameters, json({template: plan.template, values: plan.parameters})],
    [files.upload, json(uploadRecord(plan))],
    [files.code, packed?.zip],
    [files.patch, origin.git?.patch || undefined],
    [files.lock, origin.packages?.lock],
    [files.torch, origin.packages?.torch],
    [files.requirements, origin.packages?.requirements],
  ]
  await Promise.all(
    content.map(([path, bytes]) =>
      bytes === undefined ? undefined : mlflow.artifacts.upload(run.artifactUri, path, bytes),
    ),
  )
}

/** What was sent, and what stayed behind by which rule. */
export function uploadRecord({upload}: Pick<JobPlan, 'upload'>) {
  return {
    bytes: upload?.list.bytes ?? 0,
    files: upload?.list.files.map(({bytes, path}) => ({path, bytes})) ?? [],
    left_out: upload?.list.leftOut ?? [],
  }
}
