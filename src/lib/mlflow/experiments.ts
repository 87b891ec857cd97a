import {z} from 'zod'

import {MlvError} from '../errors.js'
import type {MlflowHttp} from './http.js'
import {alreadyExists, isMissing} from './mlflow-error.js'
import {readTags, tagList, tagsOf} from './tags.js'

export interface Experiment {
  readonly id: string
  readonly name: string
  readonly stage: 'active' | 'deleted'
  readonly artifactUri: string
  readonly tags: Readonly<Record<string, string>>
}

const experimentSchema = z
  .object({
    experiment_id: z.string(),
    name: z.string(),
    lifecycle_stage: z.enum(['active', 'deleted']),
    artifact_location: z.string().default(''),
    tags: tagList,
  })
  .transform(
    (raw): Experiment => ({
      id: raw.experiment_id,
      name: raw.name,
      stage: raw.lifecycle_stage,
      artifactUri: raw.artifact_location,
      tags: readTags(raw.tags),
    }),
  )

const one = z.object({experiment: experimentSchema})
const created = z.object({experiment_id: z.string()})
const page = z.object({experiments: z.array(experimentSchema).default([]), next_page_token: z.string().optional()})

const PAGE_SIZE = 1000

/** MLflow's experiments. */
export function experimentsApi(http: MlflowHttp) {
  const api = {
    /** Returns undefined where there is none of that name. */
    async getByName(name: string): Promise<Experiment | undefined> {
      try {
        const answer = await http.json('GET', '/api/2.0/mlflow/experiments/get-by-name', {
          query: {experiment_name: name},
          needs: `READ on experiment ${name}`,
        })
        return one.parse(answer).experiment
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async create(name: string, tags: Readonly<Record<string, string>> = {}): Promise<string> {
      const answer = await http.json('POST', '/api/2.0/mlflow/experiments/create', {
        json: {name, tags: tagsOf(tags)},
        needs: 'to create experiments',
      })
      return created.parse(answer).experiment_id
    },

    /** Takes the experiment of that name or creates it; two at the same moment get the same one. */
    async ensure(name: string): Promise<{experiment: Experiment; created: boolean}> {
      const existing = await api.getByName(name)
      if (existing) return {experiment: active(existing), created: false}
      let isNew = true
      try {
        await api.create(name)
      } catch (error) {
        if (!alreadyExists(error)) throw error
        isNew = false
      }
      const experiment = await api.getByName(name)
      if (!experiment) throw new MlvError('MLV_MLFLOW_NOT_FOUND', `The experiment ${name} is gone again.`)
      return {experiment: active(experiment), created: isNew}
    },

    /** Every experiment that the user may read. */
    async search(filter?: string): Promise<Experiment[]> {
      const found: Experiment[] = []
      let token: string | undefined
      do {
        const answer = page.parse(
          await http.json('POST', '/api/2.0/mlflow/experiments/search', {
            json: {max_results: PAGE_SIZE, filter, page_token: token},
            repeatable: true,
          }),
        )
        found.push(...answer.experiments)
        token = answer.next_page_token
      } while (token)
      return found
    },

    async delete(id: string): Promise<void> {
      await http.json('POST', '/api/2.0/mlflow/experiments/delete', {
        json: {experiment_id: id},
        needs: `MANAGE on experiment ${id}`,
      })
    },
  }
  return api
}

function active(experiment: Experiment): Experiment {
  if (experiment.stage === 'active') return experiment
  throw new MlvError('MLV_MLFLOW_EXPERIMENT_DELETED', `The experiment ${experiment.name} was deleted in MLflow.`, {
    tryThis: ['Name another one with --experiment, or restore it in MLflow.'],
  })
}
