import {basename, join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {chartFolder, type HelmName, helm, type Manifest, sets, template} from '../_helpers/charts.js'
import {type Cluster, hasKit, startCluster} from '../_helpers/kit.js'

describe.skipIf(!hasKit)('on a cluster that enforces the restricted Pod Security standard', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster()
    cluster.kubectl(['create', 'namespace', 'team'])
    cluster.kubectl(['label', 'namespace', 'team', 'pod-security.kubernetes.io/enforce=restricted'])
    for (const [name, key] of [
      ['ray-token', 'auth_token'],
      ['mlflow-auth', 'secret-key'],
    ])
      cluster.kubectl([
        '-n',
        'team',
        'create',
        'secret',
        'generic',
        `${name}`,
        `--from-literal=${key}=0123456789abcdef`,
      ])
  })

  afterAll(() => cluster?.stop())

  const get = (kind: string, ...args: string[]): Manifest[] =>
    JSON.parse(cluster.kubectl(['-n', 'team', 'get', kind, '-o', 'json', ...args])).items

  function upgrade(name: HelmName, release: string, chart: string, values: string, ...changes: string[]) {
    const file = join(chartFolder(chart), 'ci', `${values}-values.yaml`)
    const set = changes.flatMap(change => ['--set', change])
    const wait = ['--wait', '--wait-for-jobs', '--timeout', '3m']
    const args = ['upgrade', '--install', release, chartFolder(chart), '-n', 'team', '-f', file, ...set, ...wait]
    const ended = helm(name, args, cluster.env)
    expect(ended.code, ended.stderr).toBe(0)
  }

  async function until(isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + 120_000
    while (!isSo()) {
      if (Date.now() > deadline) throw new Error(cluster.kubectl(['-n', 'team', 'get', 'events,pods,rayclusters']))
      await new Promise(resolve => setTimeout(resolve, 300))
    }
  }

  it('takes everything that the charts render', () => {
    const migrations = sets
      .filter(([chart]) => chart === 'mlflow')
      .map(set => [...set, 'migration.enabled=true'] as const)
    for (const [chart, values, ...changes] of [...sets, ...migrations]) {
      const {stdout} = template(chart, values, changes)
      const taken = cluster.kubectl(['apply', '--server-side', '--dry-run=server', '-f', '-'], stdout)
      expect(taken.trim().split('\n')).toHaveLength(stdout.match(/^kind: /gm)?.length ?? 0)
    }
  })

  it.each(['helm3', 'helm4'] as const)(
    'is migrated, started and scaled by hand with %s, each time waited for',
    async name => {
      const deployment = () => get('deployment', '-l', `app.kubernetes.io/instance=${name}`)[0]
      const jobs = () => get('job', '-l', `app.kubernetes.io/instance=${name}`)
      upgrade(name, name, 'mlflow', 'postgresql', 'migration.enabled=true')
      expect(deployment().spec.replicas).toBe(0)
      expect(jobs()[0].status.succeeded).toBe(1)
      upgrade(name, name, 'mlflow', 'postgresql')
      expect(deployment().status.readyReplicas).toBeGreaterThan(0)
      expect(jobs().filter(({metadata}) => !metadata.deletionTimestamp)).toEqual([])
      // Whoever scales owns the number of pods; an upgrade neither fights for it nor takes it back.
      cluster.kubectl(['-n', 'team', 'scale', 'deployment', `${name}-mlflow`, '--replicas=4'])
      upgrade(name, name, 'mlflow', 'postgresql', 'podAnnotations.changed=yes')
      expect(deployment().spec.replicas).toBe(4)
    },
  )

  it('gets a Ray cluster whose containers all know the token, and whose autoscaler alone knows the cluster', async () => {
    upgrade('helm4', 'ray', 'ray-cluster', 'usual', 'cpuWorkers.minReplicas=1')
    const pods = () => get('pod', '-l', 'ray.io/cluster=ray')
    await until(() => pods().filter(({status}) => status.phase === 'Running').length === 2)
    const containers = pods().flatMap(({spec}) => [...(spec.initContainers ?? []), ...spec.containers])
    expect(containers.map(({name}) => name).sort()).toEqual(['autoscaler', 'ray-head', 'ray-worker', 'wait-gcs-ready'])
    for (const {env} of containers) {
      expect(env).toContainEqual({name: 'RAY_AUTH_MODE', value: 'token'})
      const {valueFrom} = env.find(({name}: Manifest) => name === 'RAY_AUTH_TOKEN')
      expect(valueFrom.secretKeyRef).toEqual({name: 'ray-token', key: 'auth_token'})
    }
    const knowing = containers.filter(({volumeMounts}) =>
      volumeMounts.some(({mountPath}: Manifest) => basename(mountPath) === 'serviceaccount'),
    )
    expect(knowing.map(({name}) => name)).toEqual(['autoscaler'])
    // None was asked for, so there is no GPU to pay.
    expect(pods().filter(({metadata}) => metadata.labels['ray.io/group'] === 'gpu')).toEqual([])
  })
})
