import {KubeError} from '../tools/kube-error.js'
import type {JobClusterState, JobClusters, RayEndpoint} from '../types/target.js'
import type {JobClient, RayClient, RayJob} from './ray-client.js'
import {RayError} from './ray-http.js'

/** A tunnel takes seconds to find out that nothing is there: not again with every look. */
const RETRY_MS = 2000
const FRESH_MS = 500

export interface OwnClusterOptions {
  readonly clusters: JobClusters
  /** To the cluster of one job. */
  connect(endpoint: RayEndpoint): RayClient
  /** What was kept with the run of a job, for when its cluster is gone. */
  savedLog(id: string): Promise<string>
}

/** Jobs that have a cluster of their own: their state is the cluster's, their log and their stop are Ray's in it. */
export function createOwnClusterClient({clusters, connect, savedLog}: OwnClusterOptions): JobClient {
  const open = new Map<string, RayClient>()
  const refused = new Map<string, number>()
  const seen = new Map<string, {at: number; job: RayJob | undefined}>()
  /** Of the head that there is, and of those before it. */
  const read = new Map<string, {before: string; text: string}>()
  const rayOf = async (id: string): Promise<RayClient | undefined> => {
    const known = open.get(id)
    if (known || performance.now() < (refused.get(id) ?? 0)) return known
    const endpoint = await answered(clusters.ray(id))
    if (!endpoint) {
      refused.set(id, performance.now() + RETRY_MS)
      return undefined
    }
    const client = connect(endpoint)
    open.set(id, client)
    return client
  }
  /** A head that is lost or on its way gives no answer; the cluster's state says which. */
  const ask = async <T>(id: string, what: (ray: RayClient) => Promise<T>): Promise<T | undefined> => {
    try {
      const ray = await rayOf(id)
      return ray && (await what(ray))
    } catch (error) {
      if (error instanceof RayError && error.code !== 'MLV_RAY_SIGN_IN') return undefined
      throw error
    }
  }
  const find = async (id: string): Promise<RayJob | undefined> => {
    const state = await answered(clusters.find(id))
    if (state?.isStuck) await clusters.remove(id)
    return state && toRayJob(state)
  }
  return {
    startMs: clusters.startMs,
    async get(id) {
      const last = seen.get(id)
      if (last && performance.now() - last.at < FRESH_MS) return last.job
      const job = await find(id)
      seen.set(id, {at: performance.now(), job})
      return job
    },
    list: async () => (await clusters.list()).map(toRayJob),
    async logs(id) {
      const state = await answered(clusters.find(id))
      if (state?.status === 'PENDING' && !read.has(id)) return ''
      const text = await ask(id, ray => ray.logs(id))
      const known = read.get(id)
      if (!text) return known ? known.before + known.text : savedLog(id)
      // A head that took the place of a lost one begins a log of its own.
      const before = known ? known.before + (text.startsWith(known.text) ? '' : known.text) : ''
      read.set(id, {before, text})
      return before + text
    },
    async stop(id) {
      seen.delete(id)
      const state = await clusters.find(id)
      if (!state) return false
      // One that has not begun has nothing to save; one whose head gives no answer cannot.
      const isTold = state.status === 'RUNNING' && (await ask(id, ray => ray.stop(id)))
      if (isTold === undefined || isTold === false) await clusters.remove(id)
      return true
    },
    async delete(id) {
      await clusters.remove(id)
    },
    close() {
      for (const client of open.values()) client.close()
    },
  }
}

/** A cluster that gives no answer for a while ends no job, and nobody's following of one. */
async function answered<T>(asking: Promise<T>): Promise<T> {
  return asking.catch((error: unknown) => {
    if (!(error instanceof KubeError) || (error.status > 0 && error.status < 500)) throw error
    const {details, message: answer, status, tryThis} = error
    throw new RayError('MLV_RAY_UNREACHABLE', answer, {status, answer}, {cause: error, details, tryThis})
  })
}

/** What `rayReason` takes for an error of the cluster, whose message is the reason. */
export const OWN_CLUSTER = 'OWN_CLUSTER'

function toRayJob({endTime, id, message, metadata, startTime, status}: JobClusterState): RayJob {
  return {
    type: 'SUBMISSION',
    submission_id: id,
    status,
    message,
    error_type: status === 'FAILED' && message !== null ? OWN_CLUSTER : null,
    start_time: startTime,
    end_time: endTime,
    metadata: {...metadata},
    driver_exit_code: null,
  }
}
