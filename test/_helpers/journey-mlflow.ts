import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {createMlflowClient, type MlflowClient} from '../../src/lib/mlflow/client.js'
import {Secret} from '../../src/lib/tools/secret.js'
import type {Journey} from './journey.js'

/** The MLflow of a project that is set up, signed in as its admin. */
export async function mlflowOf({stateDir}: Pick<Journey, 'stateDir'>): Promise<MlflowClient> {
  const read = async (...path: string[]) => JSON.parse(await readFile(join(stateDir, ...path), 'utf8'))
  const [{password, username}, ports] = await Promise.all([read('credentials', 'admin.json'), read('ports.json')])
  return createMlflowClient({url: `http://127.0.0.1:${ports.mlflow}`, username, password: new Secret(password)})
}
