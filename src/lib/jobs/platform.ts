import type {Context} from '../context.js'
import {createMlflowClient, type MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import {resolveTarget} from '../targets/resolve.js'
import type {JobClusters, JobsEndpoint} from '../types/target.js'
import {createOwnClusterClient} from './own-cluster.js'
import {createRayClient, type JobClient, type RayClient} from './ray-client.js'
import {hasOwnCluster} from './record.js'
import {savedLog} from './saved-log.js'

/** The two services that a job lives in, and what it is told about them. */
export interface Platform {
  mlflow(): Promise<MlflowClient>
  ray(): Promise<RayClient>
  /** Undefined where there is one Ray for all jobs. */
  readonly clusters: JobClusters | undefined
  /** Of jobs with a cluster of their own; undefined where there are none. */
  ownJobs(): Promise<JobClient | undefined>
  /** Who knows the job of a run. */
  jobsOf(run: Run): Promise<JobClient>
  jobs(): Promise<JobsEndpoint>
}

/** Connects for the time of one use-case. What is not asked for is not reached for. */
export async function withPlatform<T>(context: Context, use: (platform: Platform) => Promise<T>): Promise<T> {
  const target = await resolveTarget(context)
  const connection = target.connect(context)
  let ray: Promise<RayClient> | undefined
  let mlflow: Promise<MlflowClient> | undefined
  const {jobClusters: clusters} = connection
  const getMlflow = () => {
    mlflow ??= connection.mlflow().then(endpoint => createMlflowClient(endpoint, context))
    return mlflow
  }
  const getRay = () => {
    ray ??= connection.ray().then(endpoint => createRayClient(endpoint, context))
    return ray
  }
  const own =
    clusters &&
    createOwnClusterClient({
      clusters,
      connect: endpoint => createRayClient(endpoint, context),
      savedLog: async id => savedLog(await getMlflow(), id),
    })
  try {
    return await use({
      mlflow: getMlflow,
      ray: getRay,
      jobs: () => connection.jobs(),
      clusters,
      ownJobs: async () => own,
      jobsOf: async run => (own && hasOwnCluster(run) ? own : getRay()),
    })
  } finally {
    own?.close()
    await ray?.then(
      client => client.close(),
      () => undefined,
    )
    await connection.close()
  }
}
