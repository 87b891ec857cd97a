import {z} from 'zod'

import {MlvError} from '../errors.js'
import type {MachineShape, RayEndpoint} from '../types/target.js'
import {createRayHttp, lastLine, RayError, type RayHttpOptions} from './ray-http.js'

const jobSchema = z.object({
  type: z.string(),
  submission_id: z.string().nullable(),
  status: z.enum(['PENDING', 'RUNNING', 'STOPPED', 'SUCCEEDED', 'FAILED']),
  message: z.string().nullable().default(null),
  error_type: z.string().nullable().default(null),
  start_time: z.number().nullable().default(null),
  end_time: z.number().nullable().default(null),
  metadata: z.record(z.string(), z.string()).nullable().default(null),
  driver_exit_code: z.number().nullable().default(null),
})

/** One submission as Ray tells it. */
export type RayJob = z.output<typeof jobSchema>

const jobList = z.array(jobSchema)
const logs = z.object({logs: z.string()})
const stopped = z.object({stopped: z.boolean()})
const nodes = z.object({
  data: z.object({
    result: z.object({
      result: z.array(z.object({state: z.string(), resources_total: z.record(z.string(), z.number()).nullish()})),
    }),
  }),
})

export interface Submission {
  readonly submission_id: string
  readonly entrypoint: string
  readonly metadata: Readonly<Record<string, string>>
  readonly runtime_env: Readonly<Record<string, unknown>>
}

/** What one machine of the cluster has. */
export interface Machine {
  readonly cpus: number
  readonly gpus: number
}

/** Jobs that were submitted, wherever they run. */
export interface JobClient {
  /** Where the whole of a log can be watched; absent where it can only be asked for. */
  readonly endpoint?: RayEndpoint
  /** How long a job may take to begin, where that is not Ray's own time. */
  readonly startMs?: number
  get(id: string): Promise<RayJob | undefined>
  list(): Promise<RayJob[]>
  /** The whole log as it is now. */
  logs(id: string): Promise<string>
  /** False where it had ended already or Ray does not know it. */
  stop(id: string): Promise<boolean>
  /** Forgets a job that has ended; one that Ray does not know is no error. */
  delete(id: string): Promise<void>
  close(): void
}

/** Ray's Jobs REST API. */
export interface RayClient extends JobClient {
  readonly endpoint: RayEndpoint
  /** Returns false where there is a job of that submission id already. */
  submit(submission: Submission): Promise<boolean>
  hasPackage(name: string): Promise<boolean>
  putPackage(name: string, zip: Uint8Array): Promise<void>
  /** Those that there are; where more can be added, all that there may be at once. */
  machines(): Promise<Machine[]>
}

/** All that there may be at once. */
export const machinesOf = (shapes: readonly MachineShape[]): Machine[] =>
  shapes.flatMap(({count, cpus, gpus}) => Array.from({length: count}, () => ({cpus, gpus})))

/** How long a head that has just started may say that it has no agent yet. */
const AGENT_PATIENCE_MS = 20_000
const AGENT_PAUSE_MS = 500
const UPLOAD_TIMEOUT_MS = 300_000

export function createRayClient(endpoint: RayEndpoint, options: RayHttpOptions = {}): RayClient {
  const http = createRayHttp(endpoint, options)
  const path = (id: string, rest = '') => `/api/jobs/${encodeURIComponent(id)}${rest}`
  const submit = async (submission: Submission): Promise<boolean> => {
    const answer = await http.send('POST', '/api/jobs/', submission, 60_000).catch((error: unknown) => {
      // The agent's 400 for an id that is taken comes through the head as a 500.
      if (error instanceof RayError && isTaken(error.answer)) return {status: error.status, text: error.answer}
      throw error
    })
    if (answer.status === 200) return true
    if (isTaken(answer.text)) return false
    throw new RayError('MLV_RAY_REFUSED', `Ray does not take the job: ${lastLine(answer.text)}`, {
      status: answer.status,
      answer: answer.text,
    })
  }
  return {
    endpoint,
    async submit(submission) {
      const until = performance.now() + AGENT_PATIENCE_MS
      for (;;) {
        try {
          return await submit(submission)
        } catch (error) {
          if (!isNoAgent(error) || performance.now() > until) throw error
        }
        await new Promise(resolve => setTimeout(resolve, AGENT_PAUSE_MS))
        options.signal?.throwIfAborted()
      }
    },
    async get(id) {
      const answer = await http.send('GET', path(id), undefined, 10_000)
      return answer.status === 404 ? undefined : jobSchema.parse(JSON.parse(answer.text))
    },
    async list() {
      const answer = await http.send('GET', '/api/jobs/', undefined, 10_000)
      return jobList.parse(JSON.parse(answer.text)).filter(job => job.type === 'SUBMISSION')
    },
    async logs(id) {
      const answer = await http.send('GET', path(id, '/logs'))
      return answer.status === 404 ? '' : logs.parse(JSON.parse(answer.text)).logs
    },
    async stop(id) {
      const answer = await http.send('POST', path(id, '/stop'))
      return answer.status === 200 && stopped.parse(JSON.parse(answer.text)).stopped
    },
    async delete(id) {
      await http.send('DELETE', path(id))
    },
    async hasPackage(name) {
      return (await http.send('GET', `/api/packages/gcs/${name}`)).status === 200
    },
    async putPackage(name, zip) {
      const answer = await http.send('PUT', `/api/packages/gcs/${name}`, zip, UPLOAD_TIMEOUT_MS)
      if (answer.status !== 200) {
        throw new MlvError('MLV_RAY_REFUSED', `Ray does not take the upload: ${lastLine(answer.text)}`)
      }
    },
    async machines() {
      if (endpoint.canAdd) return machinesOf(endpoint.canAdd)
      const answer = await http.send('GET', '/api/v0/nodes?limit=1000')
      return nodes
        .parse(JSON.parse(answer.text))
        .data.result.result.filter(node => node.state === 'ALIVE')
        .map(node => ({cpus: node.resources_total?.CPU ?? 0, gpus: node.resources_total?.GPU ?? 0}))
    },
    close: () => http.close(),
  }
}

function isTaken(answer: string): boolean {
  return /Job with submission_id .* already exists/.test(answer)
}

/** The head is up before the agent that starts jobs. */
function isNoAgent(error: unknown): boolean {
  return error instanceof RayError && error.status === 500 && /No available agent|head node agent/.test(error.answer)
}
