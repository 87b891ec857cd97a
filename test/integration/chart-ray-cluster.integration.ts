import {describe, expect, it} from 'vitest'

import {type Manifest, ofKind, render, template} from '../_helpers/charts.js'

const spec = (values: string, changes: readonly string[] = []) =>
  ofKind(render('ray-cluster', values, changes), 'RayCluster').spec

const group = (cluster: Manifest, name: string) =>
  cluster.workerGroupSpecs.find(({groupName}: Manifest) => groupName === name)

const podOf = (part: Manifest) => part.template.spec

const terms = (part: Manifest) =>
  podOf(part).affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms

describe('the chart ray-cluster', () => {
  it('leaves the head nothing to run jobs with, and keeps it off the spot nodes of every cloud', () => {
    const {headGroupSpec} = spec('usual')
    expect(headGroupSpec.rayStartParams).toMatchObject({'num-cpus': '0', 'num-gpus': '0'})
    const [{matchExpressions}] = terms(headGroupSpec)
    expect(matchExpressions.map(({key, operator}: Manifest) => [key, operator])).toEqual([
      ['cloud.google.com/gke-spot', 'NotIn'],
      ['eks.amazonaws.com/capacityType', 'NotIn'],
      ['karpenter.sh/capacity-type', 'NotIn'],
      ['kubernetes.azure.com/scalesetpriority', 'NotIn'],
    ])
  })

  it('lets the autoscaler alone decide between no GPU and five', () => {
    const cluster = spec('usual')
    expect(cluster.enableInTreeAutoscaling).toBe(true)
    expect(group(cluster, 'gpu')).toMatchObject({minReplicas: 0, maxReplicas: 5})
    expect(cluster.workerGroupSpecs.filter((one: Manifest) => 'replicas' in one)).toEqual([])
  })

  it('asks the cluster for the GPUs that it tells Ray of, whole ones or parts', () => {
    for (const resource of ['nvidia.com/gpu', 'nvidia.com/mig-1g.5gb']) {
      const gpu = group(spec('everything', [`gpuWorkers.gpuResource=${resource}`]), 'gpu')
      expect(gpu.rayStartParams['num-gpus']).toBe('4')
      const {limits, requests} = podOf(gpu).containers[0].resources
      expect([limits[resource], requests[resource]]).toEqual(['4', '4'])
    }
  })

  it.each([
    ['prefer', 'preferredDuringSchedulingIgnoredDuringExecution'],
    ['require', 'requiredDuringSchedulingIgnoredDuringExecution'],
    ['never', 'requiredDuringSchedulingIgnoredDuringExecution'],
  ])('bears the choice of spot nodes: %s', (spot, kind) => {
    const {nodeAffinity} = podOf(group(spec('usual', [`gpuWorkers.spot=${spot}`]), 'gpu')).affinity
    expect(Object.keys(nodeAffinity)).toEqual([kind])
    // One label of four is enough where spot is wanted; none may be there where it is not.
    if (spot !== 'prefer') expect(nodeAffinity[kind].nodeSelectorTerms).toHaveLength(spot === 'never' ? 1 : 4)
  })

  it('fits the object store into shared memory, and both into the pod', () => {
    const cluster = spec('usual', ['cpuWorkers.resources.limits.memory=10Gi'])
    const cpu = group(cluster, 'cpu')
    const GiB = 2 ** 30
    expect(cpu.rayStartParams['object-store-memory']).toBe(String(3 * GiB))
    const shared = podOf(cpu).volumes.find(({name}: Manifest) => name === 'shared-mem').emptyDir
    expect(shared).toEqual({medium: 'Memory', sizeLimit: String(5 * GiB)})
    expect(podOf(cpu).containers[0].volumeMounts).toContainEqual({name: 'shared-mem', mountPath: '/dev/shm'})
    const {stderr} = template('ray-cluster', 'usual', ['memory.objectStorePercent=60'])
    expect(stderr).toContain('memory.sharedPercent must be more')
  })

  it('wants the token of an existing Secret from everybody', () => {
    expect(spec('usual').authOptions).toEqual({mode: 'token', secretName: 'ray-token'})
    expect(template('ray-cluster', 'usual', ['auth.existingSecret=']).stderr).toContain('/auth/existingSecret')
  })

  it('gives a token of the cluster to the autoscaler and to no code of a job', () => {
    const cluster = spec('everything')
    const mounts = (container: Manifest) => container.volumeMounts.map(({name}: Manifest) => name)
    expect(mounts(cluster.autoscalerOptions)).toContain('autoscaler-token')
    for (const part of [cluster.headGroupSpec, ...cluster.workerGroupSpecs]) {
      expect(podOf(part).automountServiceAccountToken).toBe(false)
      expect(mounts(podOf(part).containers[0])).not.toContain('autoscaler-token')
    }
  })

  it('opens the dashboard to its namespace, the operator and whom it is told, and no other port', () => {
    const {ingress} = ofKind(render('ray-cluster', 'usual'), 'NetworkPolicy').spec
    const [own, others] = ingress
    expect(own.from).toEqual([{podSelector: {matchLabels: {'ray.io/cluster': 'it'}}}])
    expect(others.ports).toEqual([{port: 8265, protocol: 'TCP'}])
    expect(ofKind(render('ray-cluster', 'usual'), 'Ingress')).toBeUndefined()
    expect(ofKind(render('ray-cluster', 'everything'), 'Ingress').spec.rules[0].http.paths[0].backend.service).toEqual({
      name: 'it-head-svc',
      port: {number: 8265},
    })
  })

  it('keeps what the head knows in a Redis when asked, its password in a Secret', () => {
    expect(spec('usual')).not.toHaveProperty('gcsFaultToleranceOptions')
    expect(spec('everything').gcsFaultToleranceOptions).toEqual({
      externalStorageNamespace: 'it',
      redisAddress: 'redis:6379',
      redisPassword: {valueFrom: {secretKeyRef: {name: 'redis-password', key: 'password'}}},
    })
  })

  it('gives workers the two minutes that a spot node gives, and spreads them', () => {
    for (const worker of spec('usual').workerGroupSpecs) {
      expect(podOf(worker).terminationGracePeriodSeconds).toBe(120)
      expect(podOf(worker).topologySpreadConstraints[0].topologyKey).toBe('kubernetes.io/hostname')
    }
  })
})
