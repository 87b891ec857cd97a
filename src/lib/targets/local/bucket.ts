import {join} from 'node:path'
import type {Context} from '../../context.js'
import type {ErrorCode} from '../../error-codes.js'
import {MlvError, ToolError} from '../../errors.js'
import {dotenvExtras} from '../../profile/env.js'
import type {Step} from '../../types/phase.js'

const PROBE = 'mlv-probe'
const DEADLINE_MS = 60_000

const CHECK = `
import sys
sys.path.insert(0, sys.argv[1])
from mlvision.storage import StorageFailed, open_storage
try:
    storage = open_storage(sys.argv[2], attempts=2)
    storage.write(sys.argv[3], b"mlv")
    storage.read(sys.argv[3])
    storage.remove(sys.argv[3])
except StorageFailed as error:
    sys.exit(str(error))
`

export const isBucket = (address: string): boolean => address.includes('://')

/** The variables that decide who comes in where; a service that runs has to be started anew when one changes. */
export function bucketVariables({environment}: Context, address: string): Record<string, string | undefined> {
  if (!isBucket(address)) return {}
  const names = dotenvExtras.filter(name => /^(AWS|MLFLOW_S3)_/.test(name))
  return Object.fromEntries(names.map(name => [name, environment[name]]))
}

/** Proves, before anything is built on it, that files can be written, read and removed at an S3 address. */
export function bucketStep(context: Context, address: string, python: () => Promise<string>): Step {
  return {
    id: 'bucket',
    title: `Writing to ${address}`,
    plan: [`Write, read and remove ${address}/${PROBE}`],
    async run() {
      const source = join(context.packageDir, 'python', 'src')
      try {
        await context.exec.write([await python(), '-I', '-c', CHECK, source, address, PROBE], {timeoutMs: DEADLINE_MS})
      } catch (error) {
        throw error instanceof ToolError ? describeRefusal(context, address, error) : error
      }
    },
  }
}

function describeRefusal({environment}: Context, address: string, error: ToolError): MlvError {
  const bucket = new URL(address).hostname
  const endpoint = ['MLFLOW_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']
    .map(name => environment[name])
    .find(Boolean)
  const store = endpoint ?? "Amazon's S3"
  const cases: readonly [RegExp, ErrorCode, string, readonly string[]][] = [
    [
      /NoSuchBucket|bucket does not exist/,
      'MLV_BUCKET_MISSING',
      `There is no bucket ${bucket} at ${store}.`,
      [`aws s3 mb s3://${bucket}${endpoint ? ` --endpoint-url ${endpoint}` : ''}`, 'Change the address in mlv.yaml.'],
    ],
    [
      /InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|403|Expired|InvalidToken|locate credentials|credentials|profile/i,
      'MLV_BUCKET_SIGN_IN',
      `${store} does not let this profile write to ${address}.`,
      [
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment or in .env.local.',
        'The user needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.',
      ],
    ],
    [
      /connect|endpoint|timeout|timed out/i,
      'MLV_BUCKET_UNREACHABLE',
      `${store} does not answer.`,
      [
        `curl -I ${endpoint ?? `https://${bucket}.s3.amazonaws.com`}`,
        'Set MLFLOW_S3_ENDPOINT_URL to the address of a store other than Amazon.',
      ],
    ],
  ]
  const [, code, message, tryThis] = cases.find(([words]) => words.test(error.stderr)) ?? [
    undefined,
    'MLV_BUCKET' as const,
    `${address} cannot be used.`,
    [`aws s3 ls ${address}`],
  ]
  return new MlvError(code, message, {cause: error, details: error.details.slice(-1), tryThis})
}
