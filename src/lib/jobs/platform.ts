import type {Context} from '../context.js'
import {createMlflowClient, type MlflowClient} from '../mlflow/client.js'
import {resolveTarget} from '../targets/resolve.js'
import type {JobsEndpoint} from '../types/target.js'
import {createRayClient, type RayClient} from './ray-client.js'

/** The two services that a job lives in, and what it is told about them. */
export interface Platform {
  mlflow(): Promise<MlflowClient>
  ray(): Promise<RayClient>
  jobs(): Promise<JobsEndpoint>
}

/** Connects for the time of one use-case. What is not asked for is not reached for. */
export async function withPlatform<T>(context: Context, use: (platform: Platform) => Promise<T>): Promise<T> {
  const target = await resolveTarget(context)
  const connection = target.connect(context)
  let ray: Promise<RayClient> | undefined
  let mlflow: Promise<MlflowClient> | undefined
  try {
    return await use({
      mlflow: () => {
        mlflow ??= connection.mlflow().then(endpoint => createMlflowClient(endpoint, context))
        return mlflow
      },
      ray: () => {
        ray ??= connection.ray().then(endpoint => createRayClient(endpoint, context))
        return ray
      },
      jobs: () => connection.jobs(),
    })
  } finally {
    await ray?.then(
      client => client.close(),
      () => undefined,
    )
    await connection.close()
  }
}
