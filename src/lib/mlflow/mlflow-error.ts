import type {ErrorCode} from '../error-codes.js'
import {MlvError, type MlvErrorOptions} from '../errors.js'
import {formatArgv} from '../tools/exec.js'
import type {MlflowEndpoint} from '../types/target.js'

/** A request that MLflow refused or that did not reach it. */
export class MlflowError extends MlvError {
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number
  /** MLflow's own word for it, such as RESOURCE_DOES_NOT_EXIST. */
  readonly reason: string

  constructor(code: ErrorCode, message: string, answer: {status: number; reason: string}, options?: MlvErrorOptions) {
    super(code, message, options)
    this.name = 'MlflowError'
    this.status = answer.status
    this.reason = answer.reason
  }
}

/** One attempt that did not go well, with what decides whether another may follow. */
export interface Failure {
  readonly error: MlflowError
  /** The request cannot have reached the server. */
  readonly neverSent: boolean
  /** There was no answer, so nobody knows whether it took effect. */
  readonly lost: boolean
}

/** True for MLflow's "no such thing". */
export function isMissing(error: unknown): boolean {
  return error instanceof MlflowError && (error.reason === 'RESOURCE_DOES_NOT_EXIST' || error.status === 404)
}

/** True for MLflow's "there is one already". */
export function alreadyExists(error: unknown): boolean {
  return error instanceof MlflowError && error.reason === 'RESOURCE_ALREADY_EXISTS'
}

/** What a sentence about a failed request is made of. */
export interface Asked {
  readonly endpoint: MlflowEndpoint
  /** The grant that the request takes. */
  readonly needs?: string | undefined
  command(line: string): string
}

export function failureOf({status, text}: {status: number; text: string}, asked: Asked): Failure {
  const answer = {status, ...parseBody(text)}
  return {error: describe(answer, asked), neverSent: false, lost: false}
}

export function unreachable(error: unknown, {command, endpoint}: Asked): Failure {
  const {code, name} = innermost(error)
  const timedOut = name === 'TimeoutError'
  return {
    error: new MlflowError(
      'MLV_MLFLOW_UNREACHABLE',
      timedOut
        ? `MLflow at ${endpoint.url} does not answer in time.`
        : `MLflow at ${endpoint.url} cannot be reached (${code ?? name}).`,
      {status: 0, reason: code ?? name},
      {cause: error, tryThis: ['status', 'setup', 'logs mlflow'].map(command)},
    ),
    neverSent: code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN',
    lost: true,
  }
}

function describe(
  answer: {status: number; reason: string; message: string},
  {command, endpoint: {passwordFile, url, username}, needs}: Asked,
): MlflowError {
  if (answer.status === 401) {
    return new MlflowError(
      'MLV_MLFLOW_SIGN_IN',
      `MLflow at ${url} does not accept the name and password of ${username}.`,
      answer,
      {
        tryThis:
          passwordFile === undefined
            ? [command('setup --from 04')]
            : [
                `Write the right password into ${passwordFile}; or let a new one be made:`,
                formatArgv(['mv', passwordFile, `${passwordFile}.old`]),
                command('setup'),
              ],
      },
    )
  }
  if (answer.status === 403 && answer.message.includes('Invalid Host header')) {
    return new MlflowError('MLV_MLFLOW_HOST', `MLflow does not allow to be called as ${url}.`, answer, {
      tryThis: [command('setup --from 03')],
    })
  }
  if (answer.status === 403) {
    const lacks = needs === undefined ? 'the permission for this' : `the permission ${needs}`
    return new MlflowError('MLV_MLFLOW_DENIED', `The MLflow user ${username} lacks ${lacks}.`, answer, {
      tryThis: [`Ask an admin of this MLflow to give ${username} ${needs ?? 'that permission'}.`],
    })
  }
  if (/disk is full|No space left on device/i.test(answer.message)) {
    return new MlflowError('MLV_DISK_FULL', 'The disk that MLflow writes to is full.', answer, {tryThis: ['df -h']})
  }
  const database = /psycopg2?\.(?:Operational|Interface)Error\)?:?\s*(.+?)\s*(?:Is the server running|\(Background|$)/s
  const trouble = database.exec(answer.message)?.[1]
  if (trouble !== undefined) {
    const [, host, port] = /server at "(.+?)".*port (\d+)/.exec(trouble) ?? []
    const look = host === undefined ? [] : [`pg_isready -h ${host} -p ${port}`]
    const what = `MLflow cannot use its database: ${oneLine(trouble)}.`
    return new MlflowError('MLV_STORE_UNREACHABLE', what, answer, {
      tryThis: [...look, command('setup'), command('logs mlflow')],
    })
  }
  if (answer.reason === 'RESOURCE_DOES_NOT_EXIST' || answer.status === 404) {
    return new MlflowError('MLV_MLFLOW_NOT_FOUND', `MLflow has no such thing: ${oneLine(answer.message)}.`, answer, {
      tryThis: [command('jobs list --all'), command('open mlflow')],
    })
  }
  return new MlflowError('MLV_MLFLOW_REFUSED', `MLflow answers ${answer.status}: ${oneLine(answer.message)}.`, answer, {
    tryThis: [command('logs mlflow')],
  })
}

function parseBody(text: string): {reason: string; message: string} {
  try {
    const body = JSON.parse(text) as {error_code?: string; message?: string}
    return {reason: body.error_code ?? '', message: body.message ?? text}
  } catch {
    return {reason: '', message: text}
  }
}

const LONGEST_MESSAGE = 300

function oneLine(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim().replace(/\.$/, '')
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}...` : line || 'no reason given'
}

/** What really happened may be wrapped, sometimes twice: a time-out in an abort, a refusal in one for each address. */
function innermost(error: unknown): {code: string | undefined; name: string} {
  let current = error as {cause?: unknown; code?: string; name?: string; errors?: unknown[]}
  for (let depth = 0; depth < 4; depth += 1) {
    const next = (current?.cause ?? current?.errors?.[0]) as typeof current | undefined
    if (next === undefined) break
    current = next
  }
  return {code: typeof current?.code === 'string' ? current.code : undefined, name: current?.name ?? 'Error'}
}
