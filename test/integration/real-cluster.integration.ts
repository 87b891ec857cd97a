import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {stringify} from 'yaml'

import {cutTunnels} from '../_helpers/cluster-faults.js'
import {type ClusterProject, clusterProject, type Json} from '../_helpers/cluster-project.js'
import {hasRealNode} from '../_helpers/kit.js'
import {findPostgres, startPostgres} from '../_helpers/postgres-server.js'
import {type RealNode, startRealNode} from '../_helpers/real-node.js'
import {startS3} from '../_helpers/s3-server.js'
import {realOwnClusterCases} from './real-own-cluster-cases.js'

/** Where pods reach servers of this machine. */
const HOST = '10.244.0.1'
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
      jobClusters: {linger: 5},
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

  it('proves what only a cluster has, and says what this one does not enforce', async () => {
    const only = ['--only', 'no-grant,replicas,scaling,network-policy']
    const {canaries} = await team.json('verify', ...only)
    const found = (id: string) => canaries.find((one: Json) => one.id === id)
    // What was seen, for whoever reads the log of the tests.
    console.log(canaries.map(({detail, id, seconds}: Json) => `${id} (${seconds} s): ${detail}`).join('\n'))
    expect(found('no-grant'), JSON.stringify(canaries)).toMatchObject({state: 'passed'})
    expect(found('replicas')).toMatchObject({state: 'skipped', detail: 'one pod of MLflow is ready'})
    // Workers that earlier proofs left behind count too.
    expect(['passed', 'skipped']).toContain(found('scaling').state)
    expect(found('network-policy')).toMatchObject({state: 'warned', detail: expect.stringContaining('not enforced')})
    const wanted = await team.mlv('verify', '--only', 'network-policy', '--setting', 'network_policy=required')
    expect(wanted.code).toBe(11)
    expect(node.kubectl(['get', 'namespaces', '-o', 'name'])).not.toMatch(/mlv-verify.*[\s\S]*Active/)
    const gone = node.kubectl(['-n', 'team', 'get', 'jobs', '-o', 'name'])
    expect(gone).not.toContain('mlv-verify')
  }, 600_000)

  it('trains digits in a worker pod, never on the head, and registers the model in its MLflow', async () => {
    const result = await team.json('train', 'digits', '--name', 'first', '--epochs', '2', '--register', 'digits')
    expect(result, JSON.stringify(result)).toMatchObject({job: {state: 'succeeded', exit_code: 0}})
    expect(result.metrics.test_accuracy).toBeGreaterThan(0.5)
    const {stdout} = await team.mlv('jobs', 'logs', 'first')
    const workers = get('pods', '-l', 'ray.io/node-type=worker').map(({status}: Json) => status.podIP)
    expect(stdout).not.toContain(get('pods', '-l', 'ray.io/node-type=head')[0].status.podIP)
    expect(workers.length).toBeGreaterThan(0)
  }, 300_000)

  it('loses no line of a job that writes a lot while the tunnel to it is cut every five seconds', async () => {
    const script =
      'import time\nfor at in range(6000):\n    print("line", at, "·" * 20, flush=True)\n    time.sleep(0.003)\n'
    await writeFile(join(team.folder, 'much.py'), script)
    const cutter = cutTunnels(node.env.KUBECONFIG ?? '', 5000)
    const {code, stderr} = await team.mlv('train', '--name', 'much', '--', 'python', 'much.py')
    expect(cutter.stop()).toBeGreaterThan(2)
    expect(code, stderr).toBe(0)
    const lines = stderr.split('\n').filter(line => line.startsWith('line '))
    expect(lines).toEqual(Array.from({length: 6000}, (_, at) => `line ${at} ${'·'.repeat(20)}`))
  }, 300_000)

  it('refuses a sweep while its pods have no storage in common', async () => {
    const {code, stderr} = await team.mlv('tune', 'digits-sweep', '--trials', '2')
    expect(code).toBe(2)
    expect(stderr).toContain('A sweep needs checkpoints that all its machines reach')
  })

  it('searches with ten trials on the workers that there are', async () => {
    node.kubectl(
      ['-n', 'team', 'apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {name: 'checkpoints'},
        spec: {accessModes: ['ReadWriteMany'], resources: {requests: {storage: '1Gi'}}},
      }),
    )
    const claim = ['--setting', 'storage=claim://checkpoints']
    const again = await team.mlv('setup', ...claim)
    expect(again.code, again.stderr).toBe(0)
    const result = await team.json(
      'tune',
      ...claim,
      'digits-sweep',
      '--trials',
      '10',
      '--set',
      'epochs=1',
      '--name',
      'search',
    )
    expect(result, JSON.stringify(result)).toMatchObject({job: {state: 'succeeded'}})
  }, 400_000)

  it('goes on from the last checkpoint in the same run when the pod of a job is killed', async () => {
    const claim = ['--setting', 'storage=claim://checkpoints']
    const job = team.json('train', 'digits', '--name', 'killed', '--epochs', '60', ...claim)
    const log = async () => (await team.mlv('jobs', 'logs', 'killed', ...claim)).stdout
    const deadline = Date.now() + 120_000
    let seen = ''
    while (!/epoch +[3-9]\b/i.test(seen) && Date.now() < deadline) seen = await log()
    const pods = get('pods', '-l', 'ray.io/node-type=worker').map(({metadata}: Json) => metadata.name)
    node.kubectl(['-n', 'team', 'delete', 'pod', ...pods, '--grace-period=0', '--force'])
    const result = await job
    expect(result, JSON.stringify(result)).toMatchObject({job: {state: 'succeeded'}})
    const text = await log()
    expect(text).toMatch(/goes on from the last checkpoint/)
    expect(text).toMatch(/Going on after epoch \d+ from its checkpoint/)
    const runs = (await team.json('jobs', 'list', ...claim)).jobs.filter(({name}: Json) => name === 'killed')
    expect(runs).toHaveLength(1)
  }, 400_000)

  realOwnClusterCases(() => ({node, team, rayValues}))

  it.skipIf(!findPostgres())(
    'runs two pods of MLflow on a PostgreSQL and a bucket elsewhere, which take the same sign-in',
    async () => {
      const [postgres, s3] = await Promise.all([startPostgres([HOST]), startS3(HOST)])
      const store = `postgresql://mlflow@${HOST}:${postgres.port}/mlflow?sslmode=disable`
      const shared = await clusterProject(
        node,
        {
          kubernetes: {context: 'kit', namespace: 'shared', timeout: 4},
          mlflow: {store, artifacts: `s3://${s3.bucket}/mlflow`},
          images: {mlflow: node.images.mlflow.name},
          charts: {mlflowValues: 'mlflow.yaml'},
        },
        {
          MLV_MLFLOW_STORE_PASSWORD: postgres.password,
          AWS_ACCESS_KEY_ID: s3.key,
          AWS_SECRET_ACCESS_KEY: s3.secret,
          AWS_DEFAULT_REGION: 'us-east-1',
          MLFLOW_S3_ENDPOINT_URL: s3.endpoint,
        },
      )
      try {
        const two = {...mlflowValues, persistence: undefined, autoscaling: {enabled: false}, replicas: 2}
        await writeFile(join(shared.folder, 'mlflow.yaml'), stringify(two))
        for (const phase of ['01', '02', '03', '04', '05', '06']) {
          const {code, stderr} = await shared.mlv('setup', '--only', phase)
          expect(code, stderr).toBe(0)
        }
        const {canaries} = await shared.json('verify', '--only', 'replicas,tracking,registry')
        expect(
          canaries.map(({state}: Json) => state),
          JSON.stringify(canaries),
        ).toEqual(['passed', 'passed', 'passed'])
        expect(canaries.find(({id}: Json) => id === 'replicas').detail).toMatch(/^2 pods let a new user in/)
        expect(await postgres.query('select username from users order by 1', 'mlflow_auth')).toBe('admin\nmlv-jobs')
        const kept = await shared.json('teardown', '--delete-data', '--confirm', 'team')
        expect(kept.kept.map(({where}: Json) => where)).toContain(store)
      } finally {
        await shared.end()
        await Promise.all([postgres.stop(), s3.stop()])
      }
    },
    400_000,
  )

  it('is torn down with its data until nothing is left', async () => {
    const {code, stderr} = await team.mlv('teardown', '--delete-data', '--confirm', 'team')
    expect(code, stderr).toBe(0)
    expect(() => node.kubectl(['get', 'namespace', 'team'])).toThrow(/not found/)
  }, 300_000)
})
