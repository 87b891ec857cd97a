import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import {requirementsPath} from '../tools/packages.js'
import type {JobsEndpoint} from '../types/target.js'
import {formatBytes} from '../ui/duration.js'
import {buildSpec} from './build-spec.js'
import {checkRoom} from './ddp-room.js'
import type {JobPlan} from './plan.js'
import type {Platform} from './platform.js'
import type {JobClient, Machine, Submission} from './ray-client.js'
import {RayError} from './ray-http.js'
import {jobRuns, SUBMIT_GRACE_MS, tags} from './record.js'
import {retyped} from './retype.js'
import {readOrigin, runTags, saveRecord} from './save-record.js'
import {type JobSite, siteOf} from './site.js'
import {isEnded, stateOfRun} from './states.js'

const TAKEN_POLL_MS = 250

/** A job that Ray has; `isNew` is false where the idempotency key had been used before. */
export interface Submitted {
  readonly mlflow: MlflowClient
  readonly ray: JobClient
  readonly run: Run
  readonly name: string
  readonly submissionId: string
  readonly isNew: boolean
}

/** Makes the run, sends the code, hands the job to Ray: once, however often it is asked for the same key. */
export async function submitJob(context: Context, platform: Platform, plan: JobPlan): Promise<Submitted> {
  const [mlflow, site, jobs, origin] = await Promise.all([
    platform.mlflow(),
    siteOf(context, platform, plan),
    platform.jobs(),
    readOrigin(context, plan),
  ])
  refuseSplitStorage(context, jobs, plan)
  warnOfImage(context, site)
  const done = (run: Run, isNew: boolean): Submitted => {
    const name = run.tags[tags.name] ?? plan.name
    return {mlflow, ray: site.jobs, run, name, submissionId: plan.submissionId, isNew}
  }
  const [{experiment}, before, packed] = await Promise.all([
    mlflow.experiments.ensure(plan.experiment),
    earlierRun(mlflow, plan),
    plan.upload?.pack(),
    checkFit(context, site, plan),
  ])
  if (before) {
    if (plan.submissionId === plan.name) throw nameTaken(context, plan)
    return done(await untilTaken(context, {mlflow, jobs: site.jobs}, before, plan.submissionId), false)
  }
  const tagsNow = runTags(context, plan, {...origin, isOwn: site.readsRun})
  const creating = mlflow.runs.create({experimentId: experiment.id, name: plan.name, tags: tagsNow})
  const [run, placed] = await Promise.all([
    creating,
    site.place(creating, packed),
    grant(mlflow, jobs, experiment.id, plan),
  ])
  const spec = buildSpec(context, plan, {jobs, experiment, runId: run.id})
  const saving = saveRecord(mlflow, run, {plan, spec, origin, packed})
  // Its failure is told below, whatever the submission does first.
  saving.catch(() => undefined)
  try {
    if (site.readsRun) await saving
    if (!(await submitOnce(site, await site.submission(spec, placed), run))) {
      await saving.catch(() => undefined)
      await mlflow.runs.delete(run.id)
      const other = await earlierRun(mlflow, plan)
      if (other && plan.submissionId !== plan.name) return done(other, false)
      throw nameTaken(context, plan)
    }
  } catch (error) {
    await saving.catch(() => undefined)
    if (!(error instanceof MlvError && error.code === 'MLV_JOB_EXISTS')) await endRun(mlflow, run, error)
    throw error
  }
  await saving
  if (packed && plan.upload) context.reporter.note(sentLine(plan.upload.list, packed.zip.byteLength, placed.isSent))
  return done(run, true)
}

/** What is sent, in one line. */
export function sentLine(
  list: {files: readonly unknown[]; leftOut: readonly unknown[]},
  bytes: number,
  isSent: boolean,
): string {
  const what = `${list.files.length} ${list.files.length === 1 ? 'file' : 'files'} of this folder`
  const out = list.leftOut.length > 0 ? `; left out by ignore rules: ${list.leftOut.length}` : ''
  return isSent ? `Sent ${what} (${formatBytes(bytes)} packed)${out}.` : `Ray has ${what} already${out}.`
}

/** Only a name or a key that somebody chose can have been used before. */
async function earlierRun(mlflow: MlflowClient, plan: JobPlan): Promise<Run | undefined> {
  if (plan.submissionId === plan.name && !plan.isNameChosen) return undefined
  const runs = await jobRuns(mlflow, 2, `tags.\`${tags.submissionId}\` = '${plan.submissionId}'`)
  // Of two that were made at the same moment the one that Ray took stays; the other is being deleted.
  return runs.at(-1)
}

/** Whoever made the run of that key may be just handing the job over: until then Ray knows nothing of it, and it is not lost. */
async function untilTaken(
  {signal}: Pick<Context, 'signal'>,
  {jobs, mlflow}: {jobs: JobClient; mlflow: MlflowClient},
  before: Run,
  submissionId: string,
): Promise<Run> {
  while (Date.now() - before.startTime < SUBMIT_GRACE_MS) {
    const [job, run] = await Promise.all([jobs.get(submissionId), mlflow.runs.get(before.id)])
    const taken = job?.metadata?.['mlv.run_id']
    if (taken !== undefined && taken !== before.id) return mlflow.runs.get(taken)
    if (job || isEnded(stateOfRun(run.status))) return before
    await pause(TAKEN_POLL_MS, undefined, {signal})
  }
  return before
}

/** A request without an answer may have arrived: then Ray has the job with our run in its metadata. */
async function submitOnce(site: JobSite, submission: Submission, run: Run): Promise<boolean> {
  const isOurs = async () => (await site.jobs.get(submission.submission_id))?.metadata?.['mlv.run_id'] === run.id
  try {
    return (await site.submit(submission, run)) || (await isOurs())
  } catch (error) {
    if (error instanceof RayError && error.status === 0 && (await isOurs().catch(() => false))) return true
    throw error
  }
}

/** The search itself and its trials, or the processes of one training, run in several pods and read each other's files. */
function refuseSplitStorage({command, profile}: Context, {isStorageSplit}: JobsEndpoint, {kind}: JobPlan): void {
  if (!isStorageSplit || kind === 'train') return
  const what = kind === 'tune' ? 'A sweep' : 'A training on several processes'
  throw new MlvError(
    'MLV_JOB_STORAGE',
    `${what} needs checkpoints that all its machines reach; profile ${profile.name} has no \`storage\`.`,
    {
      tryThis: [
        'Set `storage: s3://my-bucket/checkpoints` or `storage: claim://NAME` in mlv.yaml, then:',
        command('setup'),
      ],
    },
  )
}

/** Packages that a project adds are in the image, or nowhere: workers of a cluster install nothing. */
function warnOfImage(context: Context, {isElsewhere}: JobSite): void {
  const requirements = isElsewhere ? requirementsPath(context) : undefined
  if (requirements === undefined) return
  context.reporter.warn(
    `Workers on a cluster have the packages of their image; those of ${requirements} are there only if images.train has them.`,
  )
}

/** Refuses at once what would wait for ever. */
export async function checkFit(
  {command}: Context,
  site: {machines(): Promise<readonly Machine[]>},
  {kind, resources, words, work}: JobPlan,
): Promise<void> {
  const machines = await site.machines()
  if (work.type === 'ddp') return checkRoom(command, machines, resources, {...work, words})
  if (machines.some(machine => machine.cpus >= resources.cpus && machine.gpus >= resources.gpus)) return
  const most = (of: (machine: (typeof machines)[number]) => number) => Math.max(0, ...machines.map(of))
  const lacks = most(machine => machine.gpus) < resources.gpus ? 'gpus' : 'cpus'
  const word = lacks === 'gpus' ? 'GPU' : 'CPU'
  const have = most(machine => machine[lacks])
  // What runs again takes what it took.
  const isRerun = words[1] === 'jobs' || words[2] === 'resume'
  throw new MlvError(
    'MLV_JOB_TOO_BIG',
    `${kind === 'tune' ? 'Each trial' : 'The job'} asks for ${resources[lacks]} ${word}${resources[lacks] === 1 ? '' : 's'}; the most that a machine of this profile has is ${have}.`,
    {tryThis: [...(isRerun ? [] : [command(retyped(words, [`--${lacks}`], String(have)))]), command('doctor')]},
  )
}

/** Jobs sign in as a user of their own, which may write to nothing that it was not given. */
async function grant(mlflow: MlflowClient, jobs: JobsEndpoint, experimentId: string, plan: JobPlan): Promise<void> {
  await mlflow.users.grant(jobs.username, 'experiment', experimentId, 'EDIT')
  if (plan.register) {
    await mlflow.registry.ensure(plan.register.model)
    await mlflow.users.grant(jobs.username, 'registered_model', plan.register.model, 'EDIT')
  }
}

async function endRun(mlflow: MlflowClient, run: Run, error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error)
  await mlflow.runs.setTag(run.id, tags.reason, `The job was not submitted: ${reason}`).catch(() => undefined)
  await mlflow.runs.update(run.id, {status: 'FAILED', endTime: Date.now()}).catch(() => undefined)
}

function nameTaken({command}: Context, {name, words}: JobPlan): MlvError {
  return new MlvError('MLV_JOB_EXISTS', `There is a job ${name} already.`, {
    tryThis: [command(`jobs show ${name}`), command(retyped(words, ['--name', '-n'], `${name}-2`))],
  })
}
