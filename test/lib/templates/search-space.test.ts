import {describe, expect, it} from 'vitest'

import {withoutFixed} from '../../../src/lib/templates/search-space.js'
import {templateFileSchema} from '../../../src/lib/templates/template-schema.js'

const template = (space: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  name: 'mine',
  summary: 'A search.',
  kind: 'tune',
  parameters: {
    lr: {type: 'number', minimum: 0, maximum: 1, description: 'The rate.'},
    size: {type: 'integer', minimum: 1, maximum: 64, description: 'The size.'},
    method: {type: 'choice', choices: ['a', 'b'], description: 'The method.'},
  },
  work: {mlvision: {}},
  search: {space},
  ...more,
})

const problems = (value: unknown) =>
  (templateFileSchema.safeParse(value).error?.issues ?? []).map(({message, path}) => `${path.join('.')}: ${message}`)

describe('the search of a template', () => {
  it.each([
    [{lr: {type: 'uniform', min: 0.5, max: 0.1}}, 'search.space.lr.min: at most its max, 0.1'],
    [{lr: {type: 'uniform', min: 0.5, max: 2}}, 'search.space.lr.max: a number from 0 to 1'],
    [{lr2: {type: 'uniform', min: 0, max: 1}}, 'search.space.lr2: the name of a parameter'],
    [{method: {type: 'choice', values: ['a', 'c']}}, 'search.space.method.values.1: one of: a, b'],
    [{size: {type: 'randint', min: 1, max: 2, when: {method: 'a'}}}, 'when.method: a parameter that varies too'],
    [{}, 'search.space: at least one parameter'],
  ])('refuses %j', (space, words) => {
    expect(problems(template(space)).join('\n')).toContain(words)
  })

  it('belongs to kind tune, and to mlvision', () => {
    const space = {lr: {type: 'uniform', min: 0, max: 1}}
    expect(problems(template(space))).toEqual([])
    expect(problems(template(space, {kind: 'train'}))).toEqual(['search: nothing, where kind is not tune'])
    expect(problems(template(space, {search: undefined}))[0]).toMatch(/^search: a space/)
    expect(problems(template(space, {work: {command: ['x']}, parameters: {}})).join()).toContain('work: mlvision')
  })
})

describe('what somebody sets', () => {
  const space = {
    method: {type: 'choice', values: ['a', 'b']},
    lr: {type: 'uniform', min: 0, max: 1, when: {method: 'b'}},
    size: {type: 'randint', min: 1, max: 9, when: {lr: 0.5}},
  } as const

  it('does not vary; what depends on it varies always or never', () => {
    const mutable = structuredClone(space) as unknown as Parameters<typeof withoutFixed>[0]
    expect(Object.keys(withoutFixed(mutable, {method: 'a'}))).toEqual([])
    expect(withoutFixed(mutable, {method: 'b'})).toEqual({lr: {type: 'uniform', min: 0, max: 1}, size: space.size})
    expect(withoutFixed(mutable, {size: 3})).toEqual({method: space.method, lr: space.lr})
  })
})
