import {join} from 'node:path'

import type {Context} from '../context.js'
import {formatArgv} from '../tools/exec.js'
import {type JobSpec, jobSpecSchema} from '../types/job.js'
import type {JobsEndpoint, RayEndpoint} from '../types/target.js'
import type {JobPlan} from './plan.js'
import type {Submission} from './ray-client.js'
import {tags} from './record.js'

/** What a plan becomes on one platform. */
export function buildSpec(
  context: Pick<Context, 'user'>,
  plan: JobPlan,
  at: {jobs: JobsEndpoint; experiment: {id: string; name: string}; runId: string},
): JobSpec {
  return jobSpecSchema.parse({
    schema: 'mlv.job/1',
    job: {
      name: plan.name,
      submission_id: plan.submissionId,
      kind: plan.kind,
      user: context.user,
      template: plan.template,
    },
    resources: plan.resources,
    retries: plan.retries,
    tracking: {
      uri: at.jobs.trackingUrl,
      experiment_id: at.experiment.id,
      experiment_name: at.experiment.name,
      run_id: at.runId,
    },
    credentials_file: at.jobs.credentialsFile,
    storage: `${at.jobs.storage.replace(/\/$/, '')}/${plan.name}`,
    work: plan.work,
    register: plan.register,
    python: plan.python ?? null,
  } satisfies JobSpec)
}

/** How long a job that is stopped may take to write its checkpoint before Ray kills it. */
const STOP_GRACE_S = 60

/** Tells the driver what machines the cluster may still add (mlvision's entry/cluster.py reads it). */
const GROWS = 'MLV_RAY_GROWS'

/** The request that Ray gets, word for word. */
export function buildSubmission(
  context: Pick<Context, 'packageDir'>,
  spec: JobSpec,
  at: {
    ray: Pick<RayEndpoint, 'canAdd' | 'isElsewhere' | 'python'>
    workingDir: string | undefined
    /** The address of mlv's own Python code, where it is not on the job's machine. */
    ownCode?: string | undefined
  },
): Submission {
  return {
    submission_id: spec.job.submission_id,
    // Without `exec` the shell would stand between Ray's signals and the driver.
    entrypoint: `exec ${formatArgv([at.ray.python, '-m', 'mlvision.entry.driver'])}`,
    metadata: {
      [tags.name]: spec.job.name,
      [tags.user]: spec.job.user,
      'mlv.run_id': spec.tracking.run_id,
      'mlv.experiment_id': spec.tracking.experiment_id,
    },
    runtime_env: {
      env_vars: {
        // Ray expands $NAME in these values; JSON has another way to write the sign.
        MLV_JOB_SPEC: JSON.stringify(spec).replaceAll('$', '\\u0024'),
        ...(at.ray.isElsewhere ? {} : {PYTHONPATH: join(context.packageDir, 'python', 'src')}),
        ...(at.ray.canAdd && {[GROWS]: JSON.stringify(at.ray.canAdd)}),
        RAY_JOB_STOP_WAIT_TIME_S: String(STOP_GRACE_S),
      },
      ...(at.workingDir !== undefined && {working_dir: at.workingDir}),
      ...(at.ownCode !== undefined && {py_modules: [at.ownCode]}),
    },
  }
}
