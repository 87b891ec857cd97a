import {z} from 'zod'

import type {MlflowHttp} from './http.js'
import {alreadyExists, isMissing} from './mlflow-error.js'
import {readTags, tagList, tagsOf} from './tags.js'

export interface RegisteredModel {
  readonly name: string
  readonly description: string
  /** Alias → version. */
  readonly aliases: Readonly<Record<string, string>>
  readonly tags: Readonly<Record<string, string>>
}

export interface ModelVersion {
  readonly name: string
  readonly version: string
  readonly source: string
  readonly runId: string
  readonly status: string
  readonly aliases: readonly string[]
  readonly tags: Readonly<Record<string, string>>
}

const modelSchema = z
  .object({
    name: z.string(),
    description: z.string().default(''),
    aliases: z.array(z.object({alias: z.string(), version: z.string()})).default([]),
    tags: tagList,
  })
  .transform(
    (raw): RegisteredModel => ({
      name: raw.name,
      description: raw.description,
      aliases: Object.fromEntries(raw.aliases.map(({alias, version}) => [alias, version])),
      tags: readTags(raw.tags),
    }),
  )

const versionSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    source: z.string().default(''),
    run_id: z.string().default(''),
    status: z.string().default(''),
    aliases: z.array(z.string()).default([]),
    tags: tagList,
  })
  .transform(({run_id, tags, ...raw}): ModelVersion => ({...raw, runId: run_id, tags: readTags(tags)}))

const oneModel = z.object({registered_model: modelSchema})
const oneVersion = z.object({model_version: versionSchema})
const versionPage = z.object({
  model_versions: z.array(versionSchema).default([]),
  next_page_token: z.string().optional(),
})

const BASE = '/api/2.0/mlflow'
const PAGE_SIZE = 1000

/** MLflow's model registry: models, versions, aliases. */
export function registryApi(http: MlflowHttp) {
  const api = {
    /** Returns undefined where there is none of that name. */
    async get(name: string): Promise<RegisteredModel | undefined> {
      const answer = await orMissing(
        http.json('GET', `${BASE}/registered-models/get`, {query: {name}, needs: `READ on model ${name}`}),
      )
      return answer === undefined ? undefined : oneModel.parse(answer).registered_model
    },

    async create(name: string, tags: Readonly<Record<string, string>> = {}): Promise<RegisteredModel> {
      const answer = await http.json('POST', `${BASE}/registered-models/create`, {
        json: {name, tags: tagsOf(tags)},
        needs: 'to create models',
      })
      return oneModel.parse(answer).registered_model
    },

    /** Takes the model of that name or creates it; two at the same moment get the same one. */
    async ensure(name: string): Promise<{created: boolean}> {
      if (await api.get(name)) return {created: false}
      try {
        await api.create(name)
        return {created: true}
      } catch (error) {
        if (alreadyExists(error)) return {created: false}
        throw error
      }
    },

    async delete(name: string): Promise<void> {
      await http.json('DELETE', `${BASE}/registered-models/delete`, {json: {name}, needs: `MANAGE on model ${name}`})
    },

    async createVersion(version: {name: string; source: string; runId?: string}): Promise<ModelVersion> {
      const answer = await http.json('POST', `${BASE}/model-versions/create`, {
        json: {name: version.name, source: version.source, run_id: version.runId},
        needs: `EDIT on model ${version.name}`,
      })
      return oneVersion.parse(answer).model_version
    },

    async getVersion(name: string, version: string): Promise<ModelVersion> {
      const answer = await http.json('GET', `${BASE}/model-versions/get`, {
        query: {name, version},
        needs: `READ on model ${name}`,
      })
      return oneVersion.parse(answer).model_version
    },

    async searchVersions(filter: string): Promise<ModelVersion[]> {
      const found: ModelVersion[] = []
      let token: string | undefined
      do {
        const answer = versionPage.parse(
          await http.json('GET', `${BASE}/model-versions/search`, {
            query: {filter, max_results: PAGE_SIZE, page_token: token},
          }),
        )
        found.push(...answer.model_versions)
        token = answer.next_page_token
      } while (token)
      return found
    },

    async deleteVersion(name: string, version: string): Promise<void> {
      await http.json('DELETE', `${BASE}/model-versions/delete`, {
        json: {name, version},
        needs: `MANAGE on model ${name}`,
      })
    },

    async setAlias(name: string, alias: string, version: string): Promise<void> {
      await http.json('POST', `${BASE}/registered-models/alias`, {
        json: {name, alias, version},
        repeatable: true,
        needs: `EDIT on model ${name}`,
      })
    },

    /** Returns undefined where the model or its alias is missing. */
    async getByAlias(name: string, alias: string): Promise<ModelVersion | undefined> {
      try {
        const answer = await http.json('GET', `${BASE}/registered-models/alias`, {
          query: {name, alias},
          needs: `READ on model ${name}`,
        })
        return oneVersion.parse(answer).model_version
      } catch (error) {
        // A missing alias is INVALID_PARAMETER_VALUE, a missing model RESOURCE_DOES_NOT_EXIST.
        if (isMissing(error) || /alias .*not found/i.test((error as Error).message)) return undefined
        throw error
      }
    },

    async deleteAlias(name: string, alias: string): Promise<void> {
      await http.json('DELETE', `${BASE}/registered-models/alias`, {
        json: {name, alias},
        needs: `EDIT on model ${name}`,
      })
    },
  }
  return api
}

async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
