import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync, readlinkSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {profileSchema} from '../../src/lib/profile/profile.js'
import {clusterHindrances} from '../../src/lib/targets/kubernetes/hindrances.js'
import {openCluster} from '../../src/lib/targets/kubernetes/open-cluster.js'
import type {Hindrance} from '../../src/lib/types/target.js'
import {chartFolder, helm} from '../_helpers/charts.js'
import {type ClusterProject, clusterProject, type Json} from '../_helpers/cluster-project.js'
import {type Cluster, hasKit, startCluster} from '../_helpers/kit.js'
import {projectContext} from '../_helpers/project-context.js'
import {ownClusterCases} from './own-cluster-cases.js'

const settings = (kubernetes: object, more: object = {}) => ({
  kubernetes: {context: 'kit', namespace: 'team', timeout: 1, ...kubernetes},
  mlflow: {store: 'postgresql://mlflow@db.example.com:5432/mlflow', artifacts: 's3://example-bucket/mlflow'},
  images: {mlflow: 'registry.example.com/mlv-mlflow:0.1.0'},
  ...more,
})
const secrets = {
  MLV_MLFLOW_STORE_PASSWORD: 'a-password-of-the-database',
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'a-secret-key-of-the-bucket',
}
const HOLDER = {pid: 4711, started: '', user: 'minji', since: '2026-11-01T00:00:00Z', command: 'mlv setup'}

describe.skipIf(!hasKit)('a profile on a cluster', () => {
  let cluster: Cluster
  let minji: ClusterProject
  let jun: ClusterProject

  beforeAll(async () => {
    cluster = await startCluster()
    minji = await clusterProject(cluster, settings({}), secrets)
    jun = await clusterProject(cluster, settings({}))
  })

  afterAll(async () => {
    await Promise.all([minji?.end(), jun?.end()])
    await cluster?.stop()
  })

  const get = (...args: string[]): Json => JSON.parse(cluster.kubectl(['-n', 'team', 'get', ...args, '-o', 'json']))
  const phase = async (project: ClusterProject, id: string) =>
    (await project.json('status')).phases.find((one: Json) => one.id === id)
  async function setUp(project: ClusterProject, ...phases: string[]) {
    for (const number of phases) {
      const {code, stderr} = await project.mlv('setup', '--only', number)
      expect(code, stderr).toBe(0)
    }
  }
  const lease = (host: string, renewed: Date) =>
    cluster.kubectl(
      ['-n', 'team', 'apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: {name: 'mlv', annotations: {'mlv.dev/holder': JSON.stringify({...HOLDER, host})}},
        spec: {
          holderIdentity: `minji@${host}:4711`,
          leaseDurationSeconds: 60,
          renewTime: renewed.toISOString().replace('Z', '000Z'),
        },
      }),
    )

  it('tells a guest everything that is missing in one list, and makes nothing', async () => {
    const {code, stderr} = await minji.mlv('setup', '--setting', 'kubernetes.context=kit-guest')
    expect(code).toBe(1)
    expect(stderr).toContain('MLV_CLUSTER_FORBIDDEN')
    expect(stderr).toMatch(/create.*: secrets in namespace team/)
    expect(stderr).toMatch(/: deployments\.apps in namespace team/)
    expect(stderr).toMatch(/create: pods\/portforward in namespace team/)
    expect(() => cluster.kubectl(['get', 'namespace', 'team'])).toThrow()
  })

  it('refuses a context that leads to another cluster than the one that it is pinned to', async () => {
    const elsewhere = await minji.mlv('setup', '--setting', 'kubernetes.server=https://10.0.0.1:6443')
    expect(elsewhere.stderr).toContain('MLV_CLUSTER_OTHER')
    const other = await minji.mlv('setup', '--setting', `kubernetes.ca=sha256:${'0'.repeat(64)}`)
    expect(other.stderr).toContain('another authority')
  })

  it('says which contexts there are where it names none that is', async () => {
    const {code, stderr} = await minji.mlv('setup', '--setting', 'kubernetes.context=nowhere')
    expect(code).toBe(2)
    expect(stderr).toContain('Contexts: kit, kit-guest.')
  })

  it('has the programs that it needs looked at by mlv doctor', async () => {
    const {checks} = await jun.json('doctor')
    const found = (id: string) => checks.find((check: Json) => check.id === id)
    expect(found('kubectl')).toMatchObject({state: 'good'})
    expect(found('helm')).toMatchObject({state: 'good', found: expect.stringMatching(/^v4\./)})
  })

  it('is set up by one and found ready by another, whose folder is empty', async () => {
    await setUp(minji, '01', '02', '03', '07')
    const {phases} = await jun.json('status')
    const ready = phases.filter((one: Json) => one.state === 'ready').map(({id}: Json) => id)
    expect(ready).toEqual(['01-prepare', '02-cluster', '03-mlflow', '07-ray'])
    await setUp(jun, '03')
    expect(helm('helm4', ['-n', 'team', 'history', 'mlflow'], cluster.env).stdout.match(/\n/g)?.length).toBe(3)
  })

  it('has every secret in Secrets, and none in values, records or objects', () => {
    const text = cluster.kubectl(['-n', 'team', 'get', 'configmaps,deployments,jobs,rayclusters,pods', '-o', 'yaml'])
    const values = helm('helm4', ['-n', 'team', 'get', 'values', '--all', 'mlflow'], cluster.env).stdout
    const all = [...Object.values(secrets)]
    for (const name of ['mlv-mlflow', 'mlv-ray', 'mlv-jobs']) {
      for (const value of Object.values<string>(get('secret', name).data)) all.push(atob(value))
    }
    for (const secret of all) expect((text + values).includes(secret), 'a secret is shown').toBe(false)
  })

  it('reaches MLflow at the address of an ingress without a tunnel, and says when nothing answers there', async () => {
    const stands = createServer((_, response) => response.end('OK')).listen(0, '127.0.0.1')
    await once(stands, 'listening')
    const address = `http://localhost:${(stands.address() as AddressInfo).port}`
    const open = () => jun.mlv('open', 'mlflow', '--client', '--setting', `ingress.mlflow=${address}`)
    const found = await open()
    stands.close()
    expect(found).toMatchObject({code: 0, stdout: expect.stringContaining(`MLFLOW_TRACKING_URI=${address}\n`)})
    expect(found.stdout).toMatch(/PASSWORD="\$\(kubectl --context kit -n team get secret .*base64 -d\)"/)
    const lost = await open()
    expect(lost.code).toBe(1)
    expect(lost.stderr).toContain(`MLflow does not answer at ${address}: no answer.`)
  })

  it('is locked while somebody on another machine works on it, and not once that has died', async () => {
    lease('laptop-of-minji', new Date())
    const locked = await jun.mlv('setup', '--only', '03')
    expect(locked.code).toBe(13)
    expect(locked.stderr).toContain('minji@laptop-of-minji')
    lease('laptop-of-minji', new Date(Date.now() - 120_000))
    cluster.kubectl(['-n', 'team', 'delete', 'secret', 'mlv-ray'])
    await setUp(jun, '02')
    expect(get('lease', 'mlv').spec.holderIdentity ?? '').toBe('')
  })

  it('names what was changed by hand, and puts it back', async () => {
    const change = [{op: 'replace', path: '/spec/template/spec/containers/0/args/3', value: '--workers=7'}]
    cluster.kubectl(['-n', 'team', 'patch', 'deployment', 'mlflow', '--type=json', '-p', JSON.stringify(change)])
    expect((await phase(jun, '03-mlflow')).detail).toMatch(/Deployment mlflow: .*--workers=7, not --workers=2/)
    await setUp(minji, '03')
    expect(get('deployment', 'mlflow').spec.template.spec.containers[0].args).toContain('--workers=2')
  })

  it('leaves the number of pods to whoever scales', async () => {
    cluster.kubectl(['-n', 'team', 'scale', 'deployment', 'mlflow', '--replicas=3'])
    expect((await phase(jun, '03-mlflow')).state).toBe('ready')
  })

  it('goes on where a helm was killed between its beginning and its end', async () => {
    const child = spawn(
      readlinkSync(join(cluster.folder, '..', 'bin', 'helm')),
      ['upgrade', 'mlflow', chartFolder('mlflow'), '-n', 'team', '--reuse-values', '--set', 'nodeSelector.no=where']
        .concat(['--set', 'podAnnotations.changed=yes', '--labels', 'mlv.dev/config=cut-off', '--wait'])
        .concat(['--force-conflicts', '--server-side=true']),
      {env: cluster.env, stdio: 'ignore'},
    )
    const isPending = () => get('secrets', '-l', 'owner=helm,name=mlflow,status=pending-upgrade').items.length > 0
    const deadline = Date.now() + 30_000
    while (!isPending() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 100))
    child.kill('SIGKILL')
    expect((await phase(jun, '03-mlflow')).detail).toBe('Helm was cut off (pending-upgrade)')
    await setUp(minji, '03')
    expect((await phase(jun, '03-mlflow')).state).toBe('ready')
  })

  it('goes back to what worked when an upgrade does not come up, and says what the pods suffer from', async () => {
    const changed = await clusterProject(cluster, settings({}, {images: {mlflow: 'registry.example.com/nowhere:1'}}))
    const before = get('deployment', 'mlflow').spec.template.spec.containers[0].image
    cluster.kubectl(['cordon', '-l', 'kwok=simulated'])
    try {
      const child = changed.mlv('setup', '--only', '03')
      const pending = () =>
        get('pods', '-l', 'app.kubernetes.io/component=server').items.find(
          ({spec, status}: Json) => status.phase === 'Pending' && spec.containers[0].image.includes('nowhere'),
        )
      const deadline = Date.now() + 30_000
      while (!pending() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 100))
      const waiting = {reason: 'ErrImageNeverPull', message: 'it is not present'}
      const container = {name: 'mlflow', ready: false, restartCount: 0, image: 'x', imageID: '', state: {waiting}}
      const patch = JSON.stringify({status: {containerStatuses: [container]}})
      const {name} = pending().metadata
      cluster.kubectl(['-n', 'team', 'patch', 'pod', name, '--subresource=status', '--type=merge', '-p', patch])
      const {code, stderr} = await child
      expect(code).toBe(1)
      expect(stderr).toContain('ErrImageNeverPull it is not present')
      expect(stderr).toContain('mlflow was rolled back')
    } finally {
      cluster.kubectl(['uncordon', '-l', 'kwok=simulated'])
      await changed.end()
    }
    expect(get('deployment', 'mlflow').spec.template.spec.containers[0].image).toBe(before)
  })

  it('says which quota keeps a worker from being made', async () => {
    const hard = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: {name: 'narrow'},
      spec: {hard: {pods: String(get('pods').items.length)}},
    })
    cluster.kubectl(['-n', 'team', 'apply', '-f', '-'], hard)
    const groups = get('raycluster', 'ray').spec.workerGroupSpecs.map((group: Json) => ({...group, minReplicas: 1}))
    const patch = (value: unknown) =>
      cluster.kubectl([
        '-n',
        'team',
        'patch',
        'raycluster',
        'ray',
        '--type=merge',
        '-p',
        JSON.stringify({spec: {workerGroupSpecs: value}}),
      ])
    patch(groups)
    const {context} = projectContext(minji.folder, cluster.env)
    const profile = {name: 'team', settings: profileSchema.parse({target: 'kubernetes', ...settings({})})}
    const kube = await openCluster({...context, profile})
    try {
      const deadline = Date.now() + 60_000
      let found: readonly Hindrance[] = []
      while (!found.some(({what}) => /exceeded quota: narrow/.test(what)) && Date.now() < deadline) {
        found = await clusterHindrances({...context, profile, kube: async () => kube})
        await new Promise(resolve => setTimeout(resolve, 300))
      }
      expect(found.map(({what}) => what).join()).toContain('The cluster refuses another worker: exceeded quota: narrow')
    } finally {
      await kube.close()
      cluster.kubectl(['-n', 'team', 'delete', 'resourcequota', 'narrow'])
      await setUp(minji, '07')
    }
  })

  ownClusterCases(() => ({cluster, folder: minji.folder, settings: settings({})}))

  it('never touches a release of the same name that is somebody else’s', async () => {
    cluster.kubectl(['create', 'namespace', 'theirs'])
    const theirs = ['-n', 'theirs', 'install', 'mlflow', chartFolder('mlflow'), '--set', 'store=sqlite']
    expect(helm('helm4', [...theirs, '--set', 'auth.existingSecret=x'], cluster.env).code).toBe(0)
    const guest = await clusterProject(cluster, settings({namespace: 'theirs'}), secrets)
    try {
      await setUp(guest, '01', '02')
      expect((await guest.mlv('setup', '--only', '03')).stderr).toContain('MLV_RELEASE_FOREIGN')
      expect((await guest.mlv('teardown')).stderr).toContain('a Helm release mlflow that mlv did not make')
      expect(helm('helm4', ['-n', 'theirs', 'status', 'mlflow'], cluster.env).stdout).toContain('REVISION: 1')
    } finally {
      await guest.end()
    }
  })

  it('says that the cluster gives no answer when its API is lost, and is fine once it is back', async () => {
    const pid = Number(readFileSync(join(cluster.folder, 'kube-apiserver.pid'), 'utf8'))
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
    process.kill(pid, 'SIGKILL')
    const {code, stderr} = await jun.mlv('setup')
    expect(code).toBe(1)
    expect(stderr).toContain('MLV_CLUSTER_UNREACHABLE')
    const again = spawn(argv[0] ?? '', argv.slice(1), {detached: true, stdio: 'ignore'})
    try {
      const deadline = Date.now() + 60_000
      for (;;) {
        try {
          cluster.kubectl(['get', '--raw', '/readyz'])
          break
        } catch (error) {
          if (Date.now() > deadline) throw error
        }
      }
      expect((await phase(jun, '03-mlflow')).state).toBe('ready')
      await teardown()
    } finally {
      again.kill()
    }
  })

  async function teardown() {
    const kept = await jun.json('teardown')
    expect(kept.kept.map(({where}: Json) => where)).toContain('s3://example-bucket/mlflow')
    expect(get('deployments,rayclusters,pods,jobs').items).toEqual([])
    expect(get('secret', 'mlv-mlflow').data).toHaveProperty('admin-password')
    expect((await jun.mlv('teardown', '--delete-data', '--yes')).code).toBe(2)
    expect((await minji.mlv('teardown', '--delete-data', '--confirm', 'team')).code).toBe(0)
    expect(() => cluster.kubectl(['get', 'namespace', 'team'])).toThrow(/not found/)
  }
})
