import type {MlflowClient} from '../mlflow/client.js'
import {isMissing} from '../mlflow/mlflow-error.js'
import type {Run} from '../mlflow/runs.js'
import {jobRuns, tags} from './record.js'
import {files} from './save-record.js'

/** What a job printed, as its driver kept it with the run; empty where it got no such end. */
export async function savedLog(mlflow: MlflowClient, job: Run | string): Promise<string> {
  const [run] = typeof job === 'string' ? await jobRuns(mlflow, 1, `tags.\`${tags.submissionId}\` = '${job}'`) : [job]
  if (!run) return ''
  try {
    return Buffer.from(await mlflow.artifacts.read(run.artifactUri, files.log)).toString()
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}
