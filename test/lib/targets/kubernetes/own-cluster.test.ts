import {describe, expect, it} from 'vitest'

import {needsOf, wantsOwnCluster} from '../../../../src/lib/jobs/site.js'
import {failureOf, statusOf} from '../../../../src/lib/targets/kubernetes/job-state.js'
import {jobClusterName} from '../../../../src/lib/targets/kubernetes/names.js'
import {groupFor} from '../../../../src/lib/targets/kubernetes/ray-job.js'
import {rayClusterPlanSchema} from '../../../../src/lib/tools/kube-objects.js'

const group = (groupName: string, maxReplicas: number, limits: object) => ({
  groupName,
  maxReplicas,
  template: {spec: {containers: [{resources: {limits}}]}},
})
const {workerGroupSpecs: groups} = rayClusterPlanSchema.parse({
  metadata: {name: 'ray'},
  spec: {
    headGroupSpec: {template: {spec: {containers: []}}},
    workerGroupSpecs: [
      group('gpu', 5, {cpu: '4', 'nvidia.com/gpu': '2'}),
      group('cpu', 10, {cpu: '4'}),
      group('none', 0, {cpu: '64'}),
    ],
  },
}).spec

describe('a Ray cluster of a job’s own', () => {
  it.each([
    ['', '', 'PENDING'],
    ['Initializing', '', 'PENDING'],
    ['Running', 'PENDING', 'PENDING'],
    ['Running', 'RUNNING', 'RUNNING'],
    // The head is lost; the operator makes another one and hands the job in again.
    ['Running', 'Failure', 'PENDING'],
    ['Running', 'SUCCEEDED', 'SUCCEEDED'],
    ['Complete', 'SUCCEEDED', 'SUCCEEDED'],
    ['Complete', 'STOPPED', 'STOPPED'],
    ['Failed', 'FAILED', 'FAILED'],
    // A deadline has passed, or the head is lost: what Ray said last stays for ever.
    ['Failed', 'RUNNING', 'FAILED'],
    ['Failed', '', 'FAILED'],
    ['ValidationFailed', '', 'FAILED'],
    ['Retrying', 'FAILED', 'PENDING'],
    ['Suspended', 'RUNNING', 'STOPPED'],
  ])('is read from both words of a RayJob: %s and %s is %s', (jobDeploymentStatus, jobStatus, state) => {
    expect(statusOf({jobDeploymentStatus, jobStatus})).toBe(state)
  })

  it('says what failed it, and leaves it to the job’s own words where the job did', () => {
    const limits = {deadline: 86_400, start: 1800}
    const failure = (reason: string, message?: string) =>
      failureOf({jobDeploymentStatus: 'Failed', jobStatus: '', reason, message}, limits)
    expect(failure('AppFailed', 'exit code 1')).toBeNull()
    expect(failure('DeadlineExceeded')).toBe('it took longer than 24 h (jobClusters.deadline)')
    expect(failure('PreRunningDeadlineExceeded')).toContain('not there within 30 min')
    expect(failure('SubmissionFailed', 'no answer.')).toBe('its own cluster failed (SubmissionFailed): no answer')
  })

  it('has as many of the smallest machines that fit as the job needs at once, and never more than there may be', () => {
    const size = (needs: Partial<Parameters<typeof groupFor>[1]>) => {
      const found = groupFor(groups, {cpus: 1, gpus: 0, places: 1, machines: 1, ...needs})
      return found && [found.group.groupName, found.replicas]
    }
    expect(size({})).toEqual(['cpu', 1])
    expect(size({places: 9})).toEqual(['cpu', 3])
    expect(size({places: undefined})).toEqual(['cpu', 10])
    expect(size({machines: 2, places: 4})).toEqual(['cpu', 2])
    expect(size({gpus: 1, places: 4})).toEqual(['gpu', 2])
    expect(size({gpus: 0.5, places: 100})).toEqual(['gpu', 5])
    expect(size({cpus: 8})).toBeUndefined()
    expect(size({gpus: 4})).toBeUndefined()
  })

  it('is what several processes and several GPUs get, and others where somebody says so', () => {
    const asks = (kind: 'ddp' | 'train' | 'tune', gpus: number, isolation?: 'cluster' | 'shared') =>
      wantsOwnCluster({kind, resources: {cpus: 1, gpus}, isolation})
    expect([asks('train', 0), asks('train', 1), asks('tune', 1)]).toEqual([false, false, false])
    expect([asks('ddp', 0), asks('train', 2)]).toEqual([true, true])
    expect([asks('ddp', 0, 'shared'), asks('train', 0, 'cluster')]).toEqual([false, true])
  })

  it('needs for a sweep what runs at once', () => {
    const sweep = (search: object) =>
      needsOf({resources: {cpus: 1, gpus: 0}, work: {type: 'tune', search} as never}).places
    expect(sweep({concurrency: 8, trials: 100})).toBe(8)
    expect(sweep({concurrency: 8, trials: 4})).toBe(4)
    expect(sweep({concurrency: null, trials: 10})).toBe(10)
    expect(sweep({concurrency: null, trials: null})).toBeUndefined()
  })

  it('is called so that Kubernetes takes it and two jobs never share it', () => {
    const ids = ['digits-amber-x3f2', 'A.b_C', 'a-b-c', 'x'.repeat(100), '...'].map(jobClusterName)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]([a-z0-9-]{0,45}[a-z0-9])$/)
  })
})
