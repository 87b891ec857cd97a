import {z} from 'zod'

import type {MlflowHttp} from './http.js'
import {readTags, tagList, tagsOf} from './tags.js'

export const runStatuses = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const
export type RunStatus = (typeof runStatuses)[number]

export interface Run {
  readonly id: string
  readonly name: string
  readonly experimentId: string
  readonly status: RunStatus
  /** Milliseconds since 1970. */
  readonly startTime: number
  readonly endTime: number | undefined
  readonly artifactUri: string
  readonly metrics: Readonly<Record<string, number>>
  readonly params: Readonly<Record<string, string>>
  readonly tags: Readonly<Record<string, string>>
}

export interface MetricPoint {
  readonly key: string
  readonly value: number
  readonly timestamp: number
  readonly step: number
}

/** MLflow writes numbers that JSON lacks as words. */
const number = z.union([z.number(), z.string().transform(Number)])
const metric = z.object({
  key: z.string(),
  value: number.default(Number.NaN),
  timestamp: number,
  step: number.default(0),
})

const runSchema = z
  .object({
    info: z.object({
      run_id: z.string(),
      run_name: z.string().default(''),
      experiment_id: z.string(),
      status: z.enum(runStatuses),
      start_time: number.default(0),
      end_time: number.optional(),
      artifact_uri: z.string().default(''),
    }),
    data: z.object({metrics: z.array(metric).default([]), params: tagList, tags: tagList}).prefault({}),
  })
  .transform(
    ({data, info}): Run => ({
      id: info.run_id,
      name: info.run_name,
      experimentId: info.experiment_id,
      status: info.status,
      startTime: info.start_time,
      endTime: info.end_time,
      artifactUri: info.artifact_uri,
      metrics: Object.fromEntries(data.metrics.map(({key, value}) => [key, value])),
      params: readTags(data.params),
      tags: readTags(data.tags),
    }),
  )

const one = z.object({run: runSchema})
const page = z.object({runs: z.array(runSchema).default([]), next_page_token: z.string().optional()})
const history = z.object({metrics: z.array(metric).default([]), next_page_token: z.string().optional()})

/** What one log-batch request may hold. */
const LIMITS = {metrics: 1000, params: 100, tags: 100}
const PAGE_SIZE = 1000
const HISTORY_PAGE = 25_000

export interface RunSearch {
  readonly experimentIds: readonly string[]
  readonly filter?: string
  readonly orderBy?: readonly string[]
  /** Stops after so many; everything by default. */
  readonly limit?: number
}

export interface RunUpdate {
  readonly status?: RunStatus
  readonly endTime?: number
  readonly name?: string
}

/** MLflow's runs. */
export function runsApi(http: MlflowHttp) {
  const api = {
    async create(run: {
      experimentId: string
      name: string
      tags?: Readonly<Record<string, string>>
      startTime?: number
    }): Promise<Run> {
      const answer = await http.json('POST', '/api/2.0/mlflow/runs/create', {
        json: {
          experiment_id: run.experimentId,
          run_name: run.name,
          start_time: run.startTime ?? Date.now(),
          tags: tagsOf(run.tags ?? {}),
        },
        needs: `EDIT on experiment ${run.experimentId}`,
      })
      return one.parse(answer).run
    },

    async get(id: string): Promise<Run> {
      const answer = await http.json('GET', '/api/2.0/mlflow/runs/get', {query: {run_id: id}, needs: readNeed(id)})
      return one.parse(answer).run
    },

    /** Newest first unless `orderBy` says otherwise; pages until `limit` or the end. */
    async search({experimentIds, filter, limit = Number.POSITIVE_INFINITY, orderBy}: RunSearch): Promise<Run[]> {
      const found: Run[] = []
      let token: string | undefined
      while (experimentIds.length > 0 && found.length < limit) {
        const answer = page.parse(
          await http.json('POST', '/api/2.0/mlflow/runs/search', {
            json: {
              experiment_ids: experimentIds,
              filter,
              max_results: Math.min(limit - found.length, PAGE_SIZE),
              order_by: orderBy,
              page_token: token,
            },
            repeatable: true,
            needs: 'READ on these experiments',
          }),
        )
        found.push(...answer.runs)
        token = answer.next_page_token
        if (!token) break
      }
      return found
    },

    async update(id: string, {endTime, name, status}: RunUpdate): Promise<void> {
      await http.json('POST', '/api/2.0/mlflow/runs/update', {
        json: {run_id: id, status, end_time: endTime, run_name: name},
        repeatable: true,
        needs: editNeed(id),
      })
    },

    /** Any number of metrics, parameters and tags; metrics are not sent again when the answer is lost. */
    async logBatch(
      id: string,
      batch: {
        metrics?: readonly MetricPoint[]
        params?: Readonly<Record<string, string>>
        tags?: Readonly<Record<string, string>>
      },
    ): Promise<void> {
      const metrics = [...(batch.metrics ?? [])]
      const params = tagsOf(batch.params ?? {})
      const tags = tagsOf(batch.tags ?? {})
      while (metrics.length + params.length + tags.length > 0) {
        // One request may hold at most 1000 things in all.
        const part = {params: params.splice(0, LIMITS.params), tags: tags.splice(0, LIMITS.tags)}
        const points = metrics.splice(0, LIMITS.metrics - part.params.length - part.tags.length)
        await http.json('POST', '/api/2.0/mlflow/runs/log-batch', {
          json: {run_id: id, metrics: points, ...part},
          repeatable: points.length === 0,
          needs: editNeed(id),
        })
      }
    },

    async setTag(id: string, key: string, value: string): Promise<void> {
      await http.json('POST', '/api/2.0/mlflow/runs/set-tag', {
        json: {run_id: id, key, value},
        repeatable: true,
        needs: editNeed(id),
      })
    },

    /** All points of one metric, in the order of their steps. */
    async metricHistory(id: string, key: string): Promise<MetricPoint[]> {
      const points: MetricPoint[] = []
      let token: string | undefined
      do {
        const answer = history.parse(
          await http.json('GET', '/api/2.0/mlflow/metrics/get-history', {
            query: {run_id: id, metric_key: key, max_results: HISTORY_PAGE, page_token: token},
            needs: readNeed(id),
          }),
        )
        points.push(...answer.metrics)
        token = answer.next_page_token
      } while (token)
      return points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp)
    },

    async delete(id: string): Promise<void> {
      await http.json('POST', '/api/2.0/mlflow/runs/delete', {
        json: {run_id: id},
        needs: `MANAGE on the experiment of run ${id}`,
      })
    },
  }
  return api
}

function readNeed(id: string): string {
  return `READ on the experiment of run ${id}`
}

function editNeed(id: string): string {
  return `EDIT on the experiment of run ${id}`
}
