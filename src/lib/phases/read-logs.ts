import type {Context} from '../context.js'
import {resolveTarget} from '../targets/resolve.js'
import type {ServiceName, Target} from '../types/target.js'

export interface LogsOptions {
  readonly context: Context
  readonly service: ServiceName
  readonly follow: boolean
  readonly tail: number
  readonly target?: Target
}

export interface LogsResult {
  readonly service: ServiceName
  readonly lines: readonly string[]
}

/** Shows a service's log; with `follow` until Ctrl-C. What was shown is the result too, but for a log that is followed. */
export async function readLogs({context, follow, service, tail, ...rest}: LogsOptions): Promise<LogsResult> {
  const target = rest.target ?? (await resolveTarget(context))
  const lines: string[] = []
  for await (const line of target.logs(context, service, {follow, tail})) {
    context.reporter.result(line)
    if (!follow) lines.push(line)
  }
  return {service, lines}
}
