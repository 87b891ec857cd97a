import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {cp, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import type {Context} from '../../src/lib/context.js'
import {feedLog} from '../../src/lib/jobs/log-feed.js'
import {createRayClient} from '../../src/lib/jobs/ray-client.js'
import {profileSchema} from '../../src/lib/profile/profile.js'
import {connectCluster} from '../../src/lib/targets/kubernetes/connect.js'
import {openCluster} from '../../src/lib/targets/kubernetes/open-cluster.js'
import type {Kube} from '../../src/lib/tools/kube-session.js'
import {Secret} from '../../src/lib/tools/secret.js'
import {verifyProfile} from '../../src/lib/verify/run.js'
import {chartFolder, helm} from '../_helpers/charts.js'
import {answerKnocks, cutTunnels, expiredToken} from '../_helpers/cluster-faults.js'
import {type ClusterProject, clusterProject, type Json} from '../_helpers/cluster-project.js'
import {type Cluster, hasKit, startCluster} from '../_helpers/kit.js'
import {projectContext} from '../_helpers/project-context.js'
import {root} from '../_helpers/source-tree.js'

const LINES = 20_000
const LOG_MS = 16_000
const CUT_MS = 5000

const settings = {
  kubernetes: {context: 'kit', namespace: 'team', timeout: 1},
  mlflow: {store: 'postgresql://mlflow@db.example.com:5432/mlflow', artifacts: 's3://example-bucket/mlflow'},
  images: {mlflow: 'registry.example.com/mlv-mlflow:0.1.0'},
  charts: {mlflowValues: 'mlflow.yaml'},
}

describe.skipIf(!hasKit)('a cluster that fails', () => {
  const growing = spawn(
    process.execPath,
    [join(root, 'test/_helpers/growing-ray.mjs'), String(LINES), String(LOG_MS)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  let cluster: Cluster
  let team: ClusterProject
  let kube: Kube
  let context: Context

  beforeAll(async () => {
    const [port] = await once(growing.stdout, 'data')
    cluster = await startCluster(['--nodes', '2', '--gpu-nodes', '0', '--forward', `8265=${Number(String(port))}`])
    team = await clusterProject(cluster, settings, {MLV_MLFLOW_STORE_PASSWORD: 'a-password-of-the-database'})
    await writeFile(join(team.folder, 'mlflow.yaml'), 'autoscaling: {enabled: false}\nreplicas: 2\n')
    for (const number of ['01', '02', '03', '07']) {
      const {code, stderr} = await team.mlv('setup', '--only', number)
      expect(code, stderr).toBe(0)
    }
    const made = projectContext(team.folder, cluster.env).context
    const profile = withSettings({})
    kube = await openCluster({...made, profile})
    context = {...made, profile, kube: async () => kube}
  })

  afterAll(async () => {
    growing.stdin.end()
    await kube?.close()
    await team?.end()
    await cluster?.stop()
  })

  const get = (...args: string[]): Json => JSON.parse(cluster.kubectl(['get', ...args, '-o', 'json']))

  it('loses no line of a long log while the tunnel to Ray is cut every five seconds', async () => {
    const port = await kube.tunnel('service/ray-head-svc', 8265)
    const endpoint = {url: `http://127.0.0.1:${port}`, token: new Secret('token'), python: 'python'}
    const ray = createRayClient(endpoint)
    const cutter = cutTunnels(cluster.env.KUBECONFIG ?? '', CUT_MS)
    let cuts = 0
    const got: string[] = []
    try {
      const signal = AbortSignal.timeout(60_000)
      const job = await feedLog({ray, id: 'j', signal, onText: text => got.push(text)})
      expect(job?.status).toBe('SUCCEEDED')
    } finally {
      cuts = cutter.stop()
      ray.close()
    }
    const wanted = Array.from({length: LINES}, (_, at) => `line ${at} ${'·'.repeat(20)}\n`)
    expect(got.join('') === wanted.join(''), 'a line is lost, twice there or cut').toBe(true)
    expect(cuts).toBeGreaterThanOrEqual(3)
  })

  it('says in one sentence that a token has expired, and what to type', async () => {
    const config = ['config', '--kubeconfig', cluster.env.KUBECONFIG ?? '']
    cluster.kubectl([...config, 'set-credentials', 'expired', `--token=${expiredToken(cluster.folder)}`])
    cluster.kubectl([...config, 'set-context', 'expired', `--cluster=kit`, '--user=expired'])
    const expired = ['--setting', 'kubernetes.context=expired']
    const {phases} = await team.json('status', ...expired)
    expect(phases[0].detail).toBe('The cluster of context expired does not accept its sign-in')
    const {code, stderr} = await team.mlv('setup', ...expired)
    expect(stderr).toContain('The cluster of context expired does not accept its sign-in.')
    expect(stderr).toMatch(/Try this:\n {2}Sign in again/)
    expect(stderr).toContain('kubectl --context expired auth whoami')
    expect(code).toBe(1)
  })

  it('names what was changed by hand when an upgrade writes over it', async () => {
    cluster.kubectl(['-n', 'team', 'scale', 'deployment', 'mlflow', '--replicas=0'])
    const change = [{op: 'replace', path: '/spec/template/spec/containers/0/args/3', value: '--workers=7'}]
    cluster.kubectl(['-n', 'team', 'patch', 'deployment', 'mlflow', '--type=json', '-p', JSON.stringify(change)])
    const upgrade = ['--setting', 'images.mlflow=registry.example.com/mlv-mlflow:0.2.0']
    const {code, stderr} = await team.mlv('setup', '--only', '03', ...upgrade)
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/Deployment mlflow: .*replicas is 0, not 2/)
    expect(stderr).toMatch(/Deployment mlflow: .*--workers=7, not --workers=2/)
    const {spec} = get('-n', 'team', 'deployment', 'mlflow')
    expect(spec.replicas).toBe(2)
    expect(spec.template.spec.containers[0].image).toContain(':0.2.0')
    expect(spec.template.spec.containers[0].args).toContain('--workers=2')
  })

  it('brings an older MLflow to this version by one migration, shows from what to what, and keeps a copy', async () => {
    const old = join(team.folder, 'old-chart')
    await cp(chartFolder('mlflow'), old, {recursive: true})
    const chart = (await readFile(join(old, 'Chart.yaml'), 'utf8'))
      .replace(/^version: .*$/m, 'version: 0.0.9')
      .replace(/^appVersion: .*$/m, 'appVersion: 3.16.1')
    await writeFile(join(old, 'Chart.yaml'), chart)
    const label = ['--reuse-values', '--labels', 'mlv.dev/config=older', '--force-conflicts', '--server-side=true']
    const made = helm('helm4', ['-n', 'team', 'upgrade', 'mlflow', old, ...label], cluster.env)
    expect(made.code, made.stderr).toBe(0)
    const store = 'postgresql://mlflow@db.example.com:5432/mlflow'
    const record = (version: string) => JSON.stringify({data: {'03-mlflow': JSON.stringify({version, store})}})
    cluster.kubectl(['-n', 'team', 'patch', 'configmap', 'mlv', '--type=merge', '-p', record('3.16.1')])
    const {phases} = await team.json('status')
    expect(phases[2].detail).toMatch(/^MLflow 3\.16\.1 → 3\.17\.2, chart 0\.0\.9 → \d/)
    const {code, stderr} = await team.mlv('setup', '--only', '03')
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/03-mlflow: MLflow 3\.16\.1 → 3\.17\.2/)
    expect(stderr).toMatch(/The databases of MLflow before: copies before_3_17_2_\d+/)
    const history = helm('helm4', ['-n', 'team', 'history', 'mlflow', '-o', 'json'], cluster.env).stdout
    const versions = JSON.parse(history).map((one: Json) => one.app_version)
    // Without servers, then the Job, then the servers.
    expect(versions.slice(versions.lastIndexOf('3.16.1'))).toEqual(['3.16.1', '3.17.2', '3.17.2', '3.17.2'])
    const written = JSON.parse(get('-n', 'team', 'configmap', 'mlv').data['03-mlflow'])
    expect(written).toEqual({version: '3.17.2', store})
    cluster.kubectl(['-n', 'team', 'patch', 'configmap', 'mlv', '--type=merge', '-p', record('3.99.0')])
    const newer = await team.mlv('setup', '--only', '03', '--setting', 'images.mlflow=registry.example.com/x:1')
    expect(newer.stderr).toContain('The databases are those of MLflow 3.99.0; this mlv has 3.17.2')
    cluster.kubectl(['-n', 'team', 'patch', 'configmap', 'mlv', '--type=merge', '-p', record('3.17.2')])
  })

  it('goes back to the older MLflow and its databases where the servers of the newer one do not come up', async () => {
    const serving = () => get('-n', 'team', 'deployment', 'mlflow')
    const before = serving().spec.template.spec.containers[0].image
    const data = JSON.stringify({
      version: '3.17.2',
      store: settings.mlflow.store,
      before: {revision: revisionOf(), name: 'x'},
    })
    cluster.kubectl([
      '-n',
      'team',
      'patch',
      'configmap',
      'mlv',
      '--type=merge',
      '-p',
      JSON.stringify({data: {'03-mlflow': data}}),
    ])
    const child = team.mlv('setup', '--only', '03', '--setting', 'images.mlflow=registry.example.com/nowhere:1')
    cluster.kubectl(['cordon', '-l', 'kwok=simulated'])
    let pod: Json
    const deadline = Date.now() + 30_000
    while (!pod && Date.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, 100))
      pod = get('-n', 'team', 'pods', '-l', 'app.kubernetes.io/component=server').items.find(
        ({spec, status}: Json) => status.phase === 'Pending' && spec.containers[0].image.includes('nowhere'),
      )
    }
    const waiting = {reason: 'ErrImageNeverPull', message: 'it is not present'}
    const container = {name: 'mlflow', ready: false, restartCount: 0, image: 'x', imageID: '', state: {waiting}}
    const patch = JSON.stringify({status: {containerStatuses: [container]}})
    const name = pod.metadata.name
    cluster.kubectl(['-n', 'team', 'patch', 'pod', name, '--subresource=status', '--type=merge', '-p', patch])
    // Placed before mlv has seen what ails it, it would run after all.
    const isThere = () => get('-n', 'team', 'pods').items.some(({metadata}: Json) => metadata.name === name)
    while (isThere() && Date.now() < deadline + 60_000) await new Promise(resolve => setTimeout(resolve, 100))
    cluster.kubectl(['uncordon', '-l', 'kwok=simulated'])
    const {code, stderr} = await child
    expect(code).toBe(1)
    expect(stderr).toContain('mlflow was rolled back')
    expect(serving().spec.template.spec.containers[0].image).toBe(before)
    expect(serving().spec.replicas).toBe(2)
    const history = helm(
      'helm4',
      ['-n', 'team', 'get', 'manifest', 'mlflow', '--revision', String(revisionOf() - 1)],
      cluster.env,
    )
    expect(history.stdout).toContain('--back')
    // What was made ready is so no longer.
    expect(get('-n', 'team', 'configmap', 'mlv').data).not.toHaveProperty('03-mlflow')
  })

  const revisionOf = () => {
    const {stdout} = helm('helm4', ['-n', 'team', 'history', 'mlflow', '-o', 'json'], cluster.env)
    return JSON.parse(stdout).at(-1).revision as number
  }

  it('warns of a network that lets a stranger to Ray, fails where that is required to hold, and leaves no trace', async () => {
    cluster.kubectl(['cordon', '-l', 'kwok=simulated'])
    try {
      expect(await knocked({inside: [8265], outside: [6379, 8265]})).toMatchObject({
        state: 'warned',
        detail: expect.stringMatching(/^NetworkPolicy is not enforced by this cluster: .* port 6379 and 8265/),
      })
      expect(await knocked({inside: [8265], outside: [8265]}, 'required')).toMatchObject({state: 'failed'})
      expect(await knocked({inside: [8265], outside: []}, 'required')).toMatchObject({state: 'passed'})
      expect(await knocked({inside: [], outside: []})).toMatchObject({
        state: 'failed',
        detail: expect.stringContaining('proves nothing'),
      })
    } finally {
      cluster.kubectl(['uncordon', '-l', 'kwok=simulated'])
    }
    const left = get('namespaces').items.filter(
      ({metadata, status}: Json) => /verify/.test(metadata.name) && status.phase === 'Active',
    )
    expect(left).toEqual([])
  })

  it('says that a guest cannot make the namespace that a stranger would knock from', async () => {
    const kubernetes = {...settings.kubernetes, context: 'kit-guest'}
    const guest = await openCluster({...context, profile: withSettings({kubernetes})})
    const asGuest: Kube = {
      ...kube,
      call: (method, ...asked) => (method === 'POST' ? guest : kube).call(method, ...asked),
    }
    const connection = connectCluster({...context, kube: async () => asGuest})
    const bench = {signal: context.signal, traces: {add: () => undefined}}
    try {
      expect(await connection.knock?.('mlv-verify-guest', bench)).toMatchObject({
        cannot: expect.stringMatching(/may not make a namespace/),
      })
    } finally {
      await guest.close()
    }
  })

  it('sees kinds of an older KubeRay, which would drop the sign-in of Ray, and never touches them', async () => {
    const crd = () => get('crd', 'rayclusters.ray.io')
    const at = crd().spec.versions.findIndex(({name}: Json) => name === 'v1')
    const path = `/spec/versions/${at}/schema/openAPIV3Schema/properties/spec/properties/authOptions`
    const patch = (change: object) =>
      cluster.kubectl(['patch', 'crd', 'rayclusters.ray.io', '--type=json', '-p', JSON.stringify([change])])
    const before = crd().spec.versions[at].schema.openAPIV3Schema.properties.spec.properties.authOptions
    patch({op: 'remove', path})
    const {generation} = crd().metadata
    const deadline = Date.now() + 30_000
    let stderr = ''
    while (!stderr.includes('MLV_CLUSTER_VERSION') && Date.now() < deadline)
      stderr = (await team.mlv('setup', '--only', '07', '--setting', 'workers.max=3')).stderr
    expect(stderr).toContain("KubeRay's kinds in a version older than 1.6")
    expect(crd().metadata.generation).toBe(generation)
    patch({op: 'add', path, value: before})
  })

  it('uses an operator of another version than it was tried with, and says so', async () => {
    const labels = {'app.kubernetes.io/name': 'kuberay-operator'}
    const containers = [{name: 'operator', image: 'quay.io/kuberay/operator:v1.9.2'}]
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {name: 'theirs', namespace: 'default', labels},
      spec: {selector: {matchLabels: labels}, template: {metadata: {labels}, spec: {containers}}},
    }
    cluster.kubectl(['apply', '-f', '-'], JSON.stringify(deployment))
    const deadline = Date.now() + 30_000
    let ended = await team.mlv('setup', '--only', '07')
    while (ended.code !== 0 && Date.now() < deadline) ended = await team.mlv('setup', '--only', '07')
    expect(ended.stderr).toContain("KubeRay's operator on this cluster is 1.9.2; mlv was tried with 1.6.1.")
    expect(get('-n', 'default', 'deployment', 'theirs').metadata.generation).toBe(1)
  })

  function withSettings(more: object) {
    return {name: 'team', settings: profileSchema.parse({target: 'kubernetes', ...settings, ...more})}
  }

  /** The canary, with both of its pods saying what a network would let them see. */
  async function knocked(seen: Record<'inside' | 'outside', number[]>, wanted = 'preferred') {
    const profile = withSettings({network_policy: wanted})
    const connection = connectCluster(context)
    const over = verifyProfile({context: {...context, profile}, connection, scope: 'all', only: ['network-policy']})
    return (await answerKnocks(kube, over, seen)).canaries[0]
  }
})
