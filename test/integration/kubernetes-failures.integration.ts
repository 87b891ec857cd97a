import {spawn} from 'node:child_process'
import {createSign} from 'node:crypto'
import {once} from 'node:events'
import {readdirSync, readFileSync} from 'node:fs'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {z} from 'zod'

import type {Context} from '../../src/lib/context.js'
import {feedLog} from '../../src/lib/jobs/log-feed.js'
import {createRayClient} from '../../src/lib/jobs/ray-client.js'
import {profileSchema} from '../../src/lib/profile/profile.js'
import {connectCluster} from '../../src/lib/targets/kubernetes/connect.js'
import {openCluster} from '../../src/lib/targets/kubernetes/open-cluster.js'
import {podSchema} from '../../src/lib/tools/kube-objects.js'
import type {Kube} from '../../src/lib/tools/kube-session.js'
import {Secret} from '../../src/lib/tools/secret.js'
import {verifyProfile} from '../../src/lib/verify/run.js'
import {type ClusterProject, clusterProject, type Json} from '../_helpers/cluster-project.js'
import {type Cluster, hasKit, startCluster} from '../_helpers/kit.js'
import {projectContext} from '../_helpers/project-context.js'
import {root} from '../_helpers/source-tree.js'

const LINES = 20_000
const LOG_MS = 16_000
const CUT_MS = 5000

const anything = z.looseObject({})
const podList = z.object({items: z.array(podSchema)})

const settings = {
  kubernetes: {context: 'kit', namespace: 'team', timeout: 1},
  mlflow: {store: 'postgresql://mlflow@db.example.com:5432/mlflow', artifacts: 's3://example-bucket/mlflow'},
  images: {mlflow: 'registry.example.com/mlv-mlflow:0.1.0'},
  charts: {mlflowValues: 'mlflow.yaml'},
}

/** The processes of kubectl that lead from a port of this machine to Ray. */
function tunnelsTo(port: number): number[] {
  const argumentsOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    } catch {
      return []
    }
  }
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      const argv = argumentsOf(pid)
      return argv[0]?.endsWith('kubectl') && argv.includes('port-forward') && argv.includes(`${port}:8265`)
    })
    .map(Number)
}

/** Signed by the cluster itself, for an hour that has passed. */
function expiredToken(folder: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const issuer = 'https://kubernetes.default.svc'
  const claims = {
    iss: issuer,
    aud: [issuer],
    sub: 'system:serviceaccount:default:default',
    iat: now - 7200,
    nbf: now - 7200,
    exp: now - 3600,
    'kubernetes.io': {namespace: 'default', serviceaccount: {name: 'default', uid: '0'}},
  }
  const text = `${part({alg: 'RS256'})}.${part(claims)}`
  const signature = createSign('RSA-SHA256')
    .update(text)
    .sign(readFileSync(join(folder, 'sa.key')))
  return `${text}.${signature.toString('base64url')}`
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
    let cuts = 0
    const cutter = setInterval(() => {
      for (const pid of tunnelsTo(port)) {
        process.kill(pid, 'SIGKILL')
        cuts++
      }
    }, CUT_MS)
    const got: string[] = []
    try {
      const signal = AbortSignal.timeout(60_000)
      const job = await feedLog({ray, id: 'j', signal, onText: text => got.push(text)})
      expect(job?.status).toBe('SUCCEEDED')
    } finally {
      clearInterval(cutter)
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
  async function knocked({inside, outside}: {inside: number[]; outside: number[]}, wanted = 'preferred') {
    const profile = withSettings({network_policy: wanted})
    const connection = connectCluster(context)
    let isOver = false
    const over = verifyProfile({context: {...context, profile}, connection, scope: 'all', only: ['network-policy']})
    void over.finally(() => {
      isOver = true
    })
    const pods = new Set<string>()
    const deadline = Date.now() + 60_000
    while (!isOver && Date.now() < deadline) {
      const {items} = await kube.call('GET', '/api/v1/pods', podList)
      for (const {metadata, status} of items) {
        const key = `${metadata.namespace}/${metadata.name}`
        if (!metadata.name.startsWith('mlv-verify') || pods.has(key) || status?.phase !== 'Pending') continue
        pods.add(key)
        const message = JSON.stringify(metadata.namespace === 'team' ? inside : outside)
        const state = {terminated: {exitCode: 0, reason: 'Completed', message}}
        const container = {name: 'knock', ready: false, restartCount: 0, image: 'x', imageID: '', state}
        const body = {status: {phase: 'Succeeded', containerStatuses: [container]}}
        await kube.call('PATCH', `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`, anything, {
          body,
        })
      }
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    return (await over).canaries[0]
  }
})
