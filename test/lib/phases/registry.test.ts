import {describe, expect, it} from 'vitest'

import {choosePhases, findPhaseId, inOrder, withNeeds} from '../../../src/lib/phases/registry.js'
import type {Phase, PhaseId} from '../../../src/lib/types/phase.js'

function phase(id: PhaseId, ...needs: PhaseId[]): Phase {
  return {
    id,
    needs,
    summary: `Build ${id}`,
    status: async () => ({kind: 'absent'}),
    apply: async () => [],
    destroy: async () => [],
  }
}

const phases = [
  phase('07-ray', '02-cluster'),
  phase('03-mlflow', '02-cluster'),
  phase('01-prepare'),
  phase('02-cluster', '01-prepare'),
  phase('04-users', '03-mlflow'),
]
const ids = (list: readonly Phase[]) => list.map(({id}) => id)

describe('the phases', () => {
  it.each([
    ['3', '03-mlflow'],
    ['03', '03-mlflow'],
    ['03-mlflow', '03-mlflow'],
    ['03-deploy-mlflow', '03-mlflow'],
    ['mlflow', '03-mlflow'],
    ['MLflow', '03-mlflow'],
    ['01-setup-aws', '01-prepare'],
    ['02-deploy-eks', '02-cluster'],
    ['08-deploy-airflow', '08-airflow'],
    ['7', '07-ray'],
  ])('are found by %s', (name, id) => {
    expect(findPhaseId(name)).toBe(id)
  })

  it.each(['', '0', '9', '09', '-', '04-mlflow', 'mlfow', '33', '03 mlflow', '../03'])('are not found by %j', name => {
    expect(findPhaseId(name)).toBeUndefined()
  })

  it('run after what they need', () => {
    expect(ids(inOrder(phases))).toEqual(['01-prepare', '02-cluster', '03-mlflow', '04-users', '07-ray'])
    expect(() => inOrder([phase('01-prepare', '02-cluster'), phase('02-cluster', '01-prepare')])).toThrow(/circle/)
    expect(() => inOrder([phase('02-cluster', '01-prepare')])).toThrow(/does not have/)
  })

  it('are chosen alone or from one on, with what they need only looked at', () => {
    expect(ids(choosePhases(phases, {only: '04'}))).toEqual(['04-users'])
    expect(ids(choosePhases(inOrder(phases), {from: 'mlflow'}))).toEqual(['03-mlflow', '04-users', '07-ray'])
    expect(ids(withNeeds(phases, choosePhases(phases, {only: '04'})))).toEqual([
      '01-prepare',
      '02-cluster',
      '03-mlflow',
      '04-users',
    ])
  })

  it('that this target lacks, or that nobody knows, are wrong usage', () => {
    expect(() => choosePhases(phases, {only: '08'})).toThrow(
      expect.objectContaining({code: 'MLV_USAGE_PHASE', exitCode: 2, message: expect.stringContaining('08-airflow')}),
    )
    expect(() => choosePhases(phases, {from: 'mlfow'})).toThrow(
      expect.objectContaining({code: 'MLV_USAGE_PHASE', message: expect.stringContaining('mlfow')}),
    )
  })
})
