import {describe, expect, it} from 'vitest'

import {gridSize, reckon} from '../../../src/lib/jobs/tune-estimate.js'
import {spaceDifference} from '../../../src/lib/jobs/tune-resume.js'
import {withoutFixed} from '../../../src/lib/templates/search-space.js'
import type {Search} from '../../../src/lib/types/search.js'

const space: Search['space'] = {
  momentum: {type: 'uniform', min: 0.5, max: 0.9, points: 2, when: {method: 'sgd'}},
  lr: {type: 'loguniform', min: 0.001, max: 0.1, points: 3},
  method: {type: 'choice', values: ['adamw', 'sgd']},
  size: {type: 'randint', min: 32, max: 34},
}
const search = (changes: Partial<Search>): Search => ({
  space,
  metric: 'val_accuracy',
  mode: 'max',
  trials: 90,
  algorithm: 'random',
  scheduler: 'asha',
  grace: 1,
  reduction: 3,
  concurrency: null,
  max_time: null,
  max_failures: null,
  keep: 3,
  seed: 0,
  best: 'report',
  retrain_epochs: null,
  restart_errored: false,
  ...changes,
})

describe('what a sweep comes to', () => {
  it('counts the combinations of a grid, those of a condition only where it holds', () => {
    expect(gridSize(space)).toBe(3 * 3 * (1 + 2))
  })

  it('lets pass a share at each rung', () => {
    expect(reckon(search({}), 9)).toEqual({trials: 90, rungs: [1, 3], expected_epochs: 210, most_epochs: 810})
    expect(reckon(search({scheduler: 'none'}), 9)).toMatchObject({rungs: [], expected_epochs: 810})
    expect(reckon(search({algorithm: 'grid'}), 2)).toMatchObject({trials: 27})
  })
})

describe('a sweep that is resumed', () => {
  it('is told what of its space its template has changed since', () => {
    expect(spaceDifference(space, space)).toEqual([])
    const {size: _, ...others} = space
    expect(spaceDifference(space, {...others, lr: {type: 'uniform', min: 0, max: 1}})).toEqual([
      'lr: was loguniform from 0.001 to 0.1 in 3 points, is uniform from 0 to 1',
      'size: was randint from 32 to 34, is not varied',
    ])
  })

  it('is told of conditions that changed and of parameters that came, but not of what somebody had set', () => {
    const when = {method: ['sgd', 'adamw']}
    const changed: Search['space'] = {
      ...space,
      momentum: {type: 'uniform', min: 0.5, max: 0.9, points: 2, when},
      depth: {type: 'randint', min: 1, max: 4},
    }
    expect(spaceDifference(space, changed)).toEqual([
      'momentum: was uniform from 0.5 to 0.9 in 2 points where method is sgd, is uniform from 0.5 to 0.9 in 2 points where method is sgd or adamw',
      'depth: was not varied, is randint from 1 to 4',
    ])
    const fixed = {method: 'sgd', size: 33}
    const begun = withoutFixed(space, fixed)
    expect(spaceDifference(begun, withoutFixed(space, fixed))).toEqual([])
    expect(spaceDifference(begun, withoutFixed(changed, fixed))).toEqual([
      'depth: was not varied, is randint from 1 to 4',
    ])
  })
})
