import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {stringify} from 'yaml'

import {type ClusterProject, clusterProject, type Json} from '../_helpers/cluster-project.js'
import {hasRealNode} from '../_helpers/kit.js'
import {type RealNode, startRealNode} from '../_helpers/real-node.js'

const small = (cpu: string, memory: string) => ({requests: {cpu: '50m', memory: '128Mi'}, limits: {cpu, memory}})
const mlflowValues = {server: {workers: 1}, persistence: {size: '1Gi'}, resources: small('2', '2Gi')}
const rayValues = {
  head: {resources: small('2', '2Gi')},
  cpuWorkers: {minReplicas: 0, maxReplicas: 2, resources: small('1', '2Gi')},
  gpuWorkers: {enabled: false},
  autoscaler: {resources: small('1', '1Gi'), idleTimeoutSeconds: 60},
}

describe.skipIf(!hasRealNode)('a team on a cluster whose pods really run', () => {
  let node: RealNode
  let team: ClusterProject

  beforeAll(async () => {
    node = await startRealNode()
    team = await clusterProject(node, {
      kubernetes: {context: 'kit', namespace: 'team', timeout: 4},
      images: {mlflow: node.images.mlflow.name, train: node.images.train.name},
      charts: {mlflowValues: 'mlflow.yaml', rayValues: 'ray.yaml'},
    })
    await writeFile(join(team.folder, 'mlflow.yaml'), stringify(mlflowValues))
    await writeFile(join(team.folder, 'ray.yaml'), stringify(rayValues))
  }, 1_500_000)

  afterAll(async () => {
    await team?.end()
    await node?.stop()
  })

  const get = (...args: string[]): Json => JSON.parse(node.kubectl(['-n', 'team', 'get', ...args, '-o', 'json'])).items
  const explain = () => node.kubectl(['-n', 'team', 'get', 'pods,events', '--sort-by=.metadata.creationTimestamp'])

  it('is set up from nothing, and proves itself by every canary', async () => {
    const {code, stderr, stdout} = await team.mlv('setup')
    expect(code, `${stdout}${stderr}${code === 0 ? '' : explain()}`).toBe(0)
    expect(stderr).toContain('A job runs on Ray and its run lands in MLflow')
  }, 600_000)

  it('has nothing to do the second time', async () => {
    expect(await team.json('setup')).toMatchObject({outcome: 'unchanged'})
  })

  it('trains digits in a worker pod, never on the head, and registers the model in its MLflow', async () => {
    const result = await team.json('train', 'digits', '--name', 'first', '--epochs', '2', '--register', 'digits')
    expect(result, JSON.stringify(result)).toMatchObject({job: {state: 'succeeded', exit_code: 0}})
    expect(result.metrics.test_accuracy).toBeGreaterThan(0.5)
    const {stdout} = await team.mlv('jobs', 'logs', 'first')
    const workers = get('pods', '-l', 'ray.io/node-type=worker').map(({status}: Json) => status.podIP)
    expect(stdout).not.toContain(get('pods', '-l', 'ray.io/node-type=head')[0].status.podIP)
    expect(workers.length).toBeGreaterThan(0)
  }, 300_000)

  it('searches with ten trials on the workers that there are', async () => {
    const result = await team.json('tune', 'digits-sweep', '--trials', '10', '--set', 'epochs=1', '--name', 'search')
    expect(result, JSON.stringify(result)).toMatchObject({job: {state: 'succeeded'}})
  }, 400_000)

  it('is torn down with its data until nothing is left', async () => {
    const {code, stderr} = await team.mlv('teardown', '--delete-data', '--confirm', 'team')
    expect(code, stderr).toBe(0)
    expect(() => node.kubectl(['get', 'namespace', 'team'])).toThrow(/not found/)
  }, 300_000)
})
