import {z} from 'zod'

/** MLflow's lists of `{key, value}`, which are absent when empty. */
export const tagList = z.array(z.object({key: z.string(), value: z.string().default('')})).default([])

export function readTags(list: z.output<typeof tagList>): Record<string, string> {
  return Object.fromEntries(list.map(({key, value}) => [key, value]))
}

export function tagsOf(tags: Readonly<Record<string, string>>): {key: string; value: string}[] {
  return Object.entries(tags).map(([key, value]) => ({key, value}))
}
