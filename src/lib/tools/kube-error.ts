import {z} from 'zod'

import {MlvError} from '../errors.js'

const statusSchema = z.object({message: z.string().default(''), reason: z.string().default('')})

/** An answer of the API server that is no success. */
export class KubeError extends MlvError {
  readonly status: number
  /** The API server's own word for it, such as `AlreadyExists`. */
  readonly reason: string

  constructor(error: MlvError, status: number, reason: string) {
    super(error.code, error.message, {details: error.details, tryThis: error.tryThis})
    this.status = status
    this.reason = reason
  }
}

export interface Asked {
  readonly context: string
  readonly server: string
}

/** What a refusal of the API server means for whoever reads it. */
export function kubeError(asked: Asked, status: number, body: unknown): KubeError {
  const {message, reason} = statusSchema.catch({message: '', reason: ''}).parse(body)
  return new KubeError(describe(asked, status, message), status, reason)
}

function describe({context, server}: Asked, status: number, message: string): MlvError {
  const words = withStop(message || `HTTP ${status}`)
  if (status === 401)
    return new MlvError('MLV_CLUSTER_SIGN_IN', `The cluster of context ${context} does not accept its sign-in.`, {
      details: [words],
      tryThis: [
        'Sign in again as the cluster wants it (aws sso login, gcloud auth login, az login, a new kubeconfig).',
        `kubectl --context ${context} auth whoami`,
        `kubectl config get-contexts ${context}`,
      ],
    })
  if (status === 403)
    return new MlvError('MLV_CLUSTER_FORBIDDEN', `The user of context ${context} may not do that.`, {
      details: [words],
      tryThis: [`kubectl --context ${context} auth whoami`],
    })
  // kubectl's proxy answers for an API server that it does not reach.
  const isLost = status === 0 || (status >= 502 && status <= 504) || /^dial tcp |connection refused/.test(message)
  if (isLost) return unreachable(context, server, words)
  return new MlvError('MLV_CLUSTER_REFUSED', `The cluster refuses a request: ${words}`, {
    tryThis: [`kubectl --context ${context} cluster-info`],
  })
}

export function unreachable(context: string, server: string, words: string): MlvError {
  return new MlvError('MLV_CLUSTER_UNREACHABLE', `The cluster of context ${context} at ${server} gives no answer.`, {
    details: words ? [withStop(words)] : [],
    tryThis: [`kubectl --context ${context} cluster-info`],
  })
}

/** The same for what kubectl or helm wrote before it gave up; undefined where it says something else. */
export function kubeErrorOf(asked: Asked, text: string): MlvError | undefined {
  const line = text.trim().split('\n').at(-1) ?? ''
  const words = line.replace(/^(error|Error|E\d{4} .*?\]): ?/, '')
  if (/provide credentials|Unauthorized|must be logged in|token .*expired|getting credentials/i.test(text))
    return describe(asked, 401, words)
  if (/\(Forbidden\)|is forbidden/.test(text)) return describe(asked, 403, words)
  if (/connection refused|no such host|i\/o timeout|Client\.Timeout|connection reset|TLS handshake|EOF$/im.test(text))
    return describe(asked, 0, words)
  return undefined
}

function withStop(sentence: string): string {
  const text = sentence.trim()
  return /[.!?]$/.test(text) ? text : `${text}.`
}
