import type {Context} from '../context.js'
import type {MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import {JOB_FOLDERS, type JobClusters, type JobNeeds} from '../types/target.js'
import {buildSubmission} from './build-spec.js'
import {ownCodePackage, sendOwnCode} from './own-code.js'
import type {JobPlan} from './plan.js'
import type {Platform} from './platform.js'
import {type JobClient, type Machine, machinesOf, type RayClient, type Submission} from './ray-client.js'
import {files} from './save-record.js'
import {type Package, upload} from './upload-package.js'

/** Where the job gets its code from; `isSent` is false where it was there already. */
export interface Placed {
  readonly workingDir: string | undefined
  readonly ownCode: string | undefined
  readonly isSent: boolean
}

/** The Ray that a job goes to: the one of all, or one that is made for it. */
export interface JobSite {
  readonly jobs: JobClient
  /** Whether the code has to lie with the run before the job is handed over. */
  readonly readsRun: boolean
  /** Whether jobs run where nothing of this machine is. */
  readonly isElsewhere: boolean
  machines(): Promise<readonly Machine[]>
  /** `code` is a package that the run has or will have. */
  place(run: Promise<Run>, code: Package | undefined): Promise<Placed>
  submission(spec: Parameters<typeof buildSubmission>[1], placed: Placed): Promise<Submission>
  /** False where there is a job of that id already. */
  submit(submission: Submission, run: Run): Promise<boolean>
}

type Asks = Pick<JobPlan, 'isolation' | 'kind' | 'resources' | 'work'>

/** Several GPUs, or several processes, would block a head that everybody shares. */
export function wantsOwnCluster({isolation, kind, resources}: Omit<Asks, 'work'>): boolean {
  return isolation === undefined ? kind === 'ddp' || resources.gpus >= 2 : isolation === 'cluster'
}

export async function siteOf(context: Context, platform: Platform, plan: Asks): Promise<JobSite> {
  const {clusters} = platform
  const isOwn = wantsOwnCluster(plan)
  if (isOwn && clusters) {
    const [jobs, mlflow] = await Promise.all([platform.ownJobs(), platform.mlflow()])
    if (jobs) return ownSite(context, {clusters, jobs, mlflow}, plan)
  }
  if (plan.isolation === 'cluster')
    context.reporter.note(`Profile ${context.profile.name} has one Ray for all jobs: isolation changes nothing here.`)
  return sharedSite(context, await platform.ray())
}

function sharedSite(context: Context, ray: RayClient): JobSite {
  return {
    jobs: ray,
    readsRun: false,
    isElsewhere: ray.endpoint.isElsewhere === true,
    machines: () => ray.machines(),
    async place(_run, code) {
      const [sent, ownCode] = await Promise.all([code && upload(ray, code), sendOwnCode(context, ray)])
      return {workingDir: sent?.uri, ownCode, isSent: sent?.sent ?? false}
    },
    submission: async (spec, {ownCode, workingDir}) =>
      buildSubmission(context, spec, {ray: ray.endpoint, workingDir, ownCode}),
    submit: submission => ray.submit(submission),
  }
}

interface Own {
  readonly clusters: JobClusters
  readonly jobs: JobClient
  readonly mlflow: MlflowClient
}

/** Its pods read code from the run's artifacts: there is no Ray yet that could be sent anything. */
function ownSite(context: Context, {clusters, jobs, mlflow}: Own, plan: Asks): JobSite {
  const local = (folder: string) => `local://${folder}`
  return {
    jobs,
    readsRun: true,
    isElsewhere: true,
    machines: async () => machinesOf(await clusters.shapes()),
    async place(run, code) {
      const [{artifactUri}, {zip}] = await Promise.all([run, ownCodePackage(context)])
      await mlflow.artifacts.upload(artifactUri, files.mlvision, zip)
      return {workingDir: code && local(JOB_FOLDERS.code), ownCode: local(JOB_FOLDERS.mlvision), isSent: true}
    },
    async submission(spec, {ownCode, workingDir}) {
      const ray = {python: 'python', isElsewhere: true, canAdd: await clusters.shapes()}
      return buildSubmission(context, spec, {ray, workingDir, ownCode})
    },
    submit: ({entrypoint, metadata, runtime_env, submission_id}, run) =>
      clusters.create({
        id: submission_id,
        entrypoint,
        metadata,
        runtimeEnv: runtime_env,
        needs: needsOf(plan),
        artifacts: artifactPath(run.artifactUri),
        folders: {
          [files.mlvision]: JOB_FOLDERS.mlvision,
          ...('working_dir' in runtime_env && {[files.code]: JOB_FOLDERS.code}),
        },
      }),
  }
}

/** How much a job needs at once. */
export function needsOf({resources, work}: Pick<JobPlan, 'resources' | 'work'>): JobNeeds {
  const {cpus, gpus} = resources
  if (work.type === 'ddp') return {cpus, gpus, places: work.nodes * work.processes, machines: work.nodes}
  if (work.type !== 'tune') return {cpus, gpus, places: 1, machines: 1}
  const {concurrency, trials} = work.search
  const places = concurrency ?? trials ?? undefined
  return {cpus, gpus, places: places === undefined ? undefined : Math.min(places, trials ?? places), machines: 1}
}

const artifactPath = (uri: string) => uri.replace(/^mlflow-artifacts:(\/\/[^/]*)?\//, '').replace(/\/$/, '')
