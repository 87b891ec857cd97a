import {readFile, stat} from 'node:fs/promises'
import {resolve} from 'node:path'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {Secret} from '../tools/secret.js'

/** The password of `mlflow.store`, from the environment or a 0600 file. */
export async function storePassword({environment, projectDir}: Context): Promise<Secret | undefined> {
  if (environment.MLV_MLFLOW_STORE_PASSWORD) return new Secret(environment.MLV_MLFLOW_STORE_PASSWORD)
  if (!environment.MLV_MLFLOW_STORE_PASSWORD_FILE) return undefined
  const file = resolve(projectDir, environment.MLV_MLFLOW_STORE_PASSWORD_FILE)
  const shown = JSON.stringify(file)
  try {
    const {mode} = await stat(file)
    if ((mode & 0o077) === 0) return new Secret((await readFile(file, 'utf8')).replace(/\r?\n$/, ''))
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    const what = `The file of the store's password, ${file}, cannot be read (${code}).`
    throw new MlvError('MLV_STORE_PASSWORD_FILE', what, {cause: error, tryThis: [`ls -l ${shown}`]})
  }
  throw new MlvError('MLV_STORE_PASSWORD_FILE', `Others may read ${file}, which holds the store's password.`, {
    tryThis: [`chmod 600 ${shown}`],
  })
}
