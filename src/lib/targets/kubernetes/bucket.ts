import type {Context} from '../../context.js'
import type {Kube} from '../../tools/kube-session.js'
import {Secret} from '../../tools/secret.js'
import {SECRETS} from './names.js'
import {readSecret, writeSecret} from './secrets.js'

/** How the pods reach the S3 store. */
export interface ClusterBucket {
  readonly endpointUrl: string | undefined
  readonly region: string | undefined
  /** False where the pods have a role of their own. */
  readonly hasKeys: boolean
}

export const isBucket = (address: string | undefined): boolean => address?.startsWith('s3://') === true

export function usesBucket({profile: {settings}}: Context): boolean {
  return isBucket(settings.mlflow.artifacts) || isBucket(settings.storage)
}

/** What whoever set up last gave, for a colleague who has no keys in the environment. */
export async function readBucket(context: Context, kube: Kube): Promise<ClusterBucket | undefined> {
  if (!usesBucket(context)) return undefined
  const values = await readSecret(kube, SECRETS.bucket)
  return {
    endpointUrl: values?.['endpoint-url'] || undefined,
    region: values?.region || undefined,
    hasKeys: Boolean(values?.AWS_ACCESS_KEY_ID),
  }
}

/** Takes keys and address from the environment where they are there; otherwise what the cluster has stays. */
export async function saveBucket(context: Context, kube: Kube): Promise<void> {
  if (!usesBucket(context)) return
  const {environment} = context
  const [key, secret] = [environment.AWS_ACCESS_KEY_ID, environment.AWS_SECRET_ACCESS_KEY]
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.MLFLOW_S3_ENDPOINT_URL ?? environment.AWS_ENDPOINT_URL
  const region = environment.AWS_DEFAULT_REGION ?? environment.AWS_REGION
  if (!key && !endpoint && (await readSecret(kube, SECRETS.bucket))) return
  const values: Record<string, Secret> = {
    'endpoint-url': new Secret(endpoint ?? ''),
    region: new Secret(region ?? ''),
  }
  if (key && secret) {
    values.AWS_ACCESS_KEY_ID = new Secret(key)
    values.AWS_SECRET_ACCESS_KEY = new Secret(secret)
    values.credentials = new Secret(`[default]\naws_access_key_id = ${key}\naws_secret_access_key = ${secret}\n`)
  }
  await writeSecret(kube, SECRETS.bucket, values)
}
