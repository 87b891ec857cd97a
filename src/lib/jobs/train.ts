import type {Context} from '../context.js'
import {runUrl} from '../mlflow/client.js'
import {formatBytes} from '../ui/duration.js'
import {buildSpec, buildSubmission} from './build-spec.js'
import {follow} from './follow.js'
import type {JobOutcome} from './outcome.js'
import type {JobPlan} from './plan.js'
import {planJob, type TrainRequest} from './plan.js'
import {withPlatform} from './platform.js'
import type {Submission} from './ray-client.js'
import {uploadRecord} from './save-record.js'
import {type Submitted, submitJob} from './submit.js'

export interface TrainOptions {
  /** Returns as soon as Ray has the job. */
  readonly isDetached: boolean
  readonly waitMs?: number | undefined
}

/** What `--dry-run` prints: nothing has been reached or changed. */
export interface DryRun {
  readonly experiment: string
  readonly submission: Submission
  readonly upload: ReturnType<typeof uploadRecord>
}

/** Submits a training job and follows it. */
export async function train(context: Context, request: TrainRequest, options: TrainOptions): Promise<JobOutcome> {
  const plan = await planJob(context, request)
  return submitAndFollow(context, plan, options)
}

export async function submitAndFollow(context: Context, plan: JobPlan, options: TrainOptions): Promise<JobOutcome> {
  return withPlatform(context, async platform => {
    const submitted = await submitJob(context, platform, plan)
    return followSubmitted(context, submitted, options)
  })
}

/** Names the job and its run, then follows it, or says how to. */
export async function followSubmitted(
  context: Context,
  submitted: Submitted,
  options: TrainOptions,
): Promise<JobOutcome> {
  const {isNew, mlflow, name, run, submissionId} = submitted
  const url = runUrl(mlflow.url, run.experimentId, run.id)
  context.reporter.note(`${isNew ? 'Job' : 'That key was used before; this is its job'} ${name}: ${url}`)
  if (!options.isDetached) return follow({context, ...submitted, waitMs: options.waitMs})
  const next = [`jobs logs ${name} -f`, `jobs wait ${name}`, `jobs stop ${name}`].map(context.command)
  context.reporter.note(['Next:', ...next.map(line => `  ${line}`)].join('\n'))
  return {
    text: name,
    result: {
      job: {id: submissionId, name, state: 'queued', exit_code: null, reason: null},
      run: {id: run.id, url},
      metrics: {},
      model: null,
    },
  }
}

/** Shows exactly what would be sent, without asking the platform; what only it knows stands in angle brackets. */
export async function trainDryRun(context: Context, request: TrainRequest): Promise<{value: DryRun; text: string}> {
  return dryRunOf(context, await planJob(context, request))
}

export async function dryRunOf(context: Context, plan: JobPlan): Promise<{value: DryRun; text: string}> {
  const packed = await plan.upload?.pack()
  const jobs = {
    trackingUrl: 'http://mlflow.invalid',
    username: 'mlv-jobs',
    credentialsFile: '<credentials of mlv-jobs>',
    storage: '<storage of the profile>',
  }
  const spec = buildSpec(context, plan, {jobs, experiment: {id: '<id>', name: plan.experiment}, runId: '<run>'})
  const submission = buildSubmission(context, spec, {
    ray: {python: '<python>'},
    workingDir: packed && `gcs://${packed.name}`,
  })
  const value = {experiment: plan.experiment, submission, upload: uploadRecord(plan)}
  const sent = value.upload.files.map(file => `  ${formatBytes(file.bytes).padStart(10)}  ${file.path}`)
  const out = value.upload.left_out.map(entry => `  ${entry.path}  (${entry.rule})`)
  const text = [
    `Experiment: ${plan.experiment}`,
    `POST /api/jobs/ ${JSON.stringify({...submission, runtime_env: {...submission.runtime_env, env_vars: undefined}}, null, 2)}`,
    `MLV_JOB_SPEC: ${JSON.stringify(spec, null, 2)}`,
    sent.length > 0 ? ['Files that are sent:', ...sent].join('\n') : 'Nothing of this folder is sent.',
    ...(out.length > 0 ? [['Left out:', ...out].join('\n')] : []),
  ].join('\n')
  return {value, text}
}
