import {type ChildProcess, execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {clusterTool} from '../../scripts/cluster-tools.mjs'
import {createRayClient} from '../../src/lib/jobs/ray-client.js'
import {Secret} from '../../src/lib/tools/secret.js'
import {chartFolder, type Manifest} from '../_helpers/charts.js'
import {hasRealNode} from '../_helpers/kit.js'
import {type RealNode, startRealNode} from '../_helpers/real-node.js'

const TOKEN = '0123456789abcdef0123456789abcdef'
const PASSWORD = 'correct horse battery'
const DEADLINE_MS = 180_000

const small = (cpu: string, memory: string) => ({requests: {cpu: '100m', memory: '256Mi'}, limits: {cpu, memory}})

/** On a worker: nothing that asks for a CPU may run on the head. */
const job = `import json, ray
ray.init()
@ray.remote(num_cpus=1)
def work():
    import os, socket, torch, torchvision, mlflow, mlvision
    weight = torch.nn.Parameter(torch.ones(3))
    (weight * 2).sum().backward()
    return {"pod": socket.gethostname(), "user": os.getuid(), "gradient": weight.grad.tolist(),
            "mlflow": mlflow.__version__, "torch": torch.__version__}
print("RESULT", json.dumps(ray.get(work.remote())))
`

describe.skipIf(!hasRealNode)('the images, in the pods of the charts on a node that really runs them', () => {
  let node: RealNode
  const tunnels: ChildProcess[] = []

  beforeAll(async () => {
    node = await startRealNode()
    node.kubectl(['create', 'namespace', 'team'])
    node.kubectl(['label', 'namespace', 'team', 'pod-security.kubernetes.io/enforce=restricted'])
    const secret = (name: string, ...values: string[]) =>
      node.kubectl([
        '-n',
        'team',
        'create',
        'secret',
        'generic',
        name,
        ...values.map(value => `--from-literal=${value}`),
      ])
    secret('ray-token', `auth_token=${TOKEN}`)
    secret('mlflow-auth', `secret-key=${TOKEN}`, `admin-password=${PASSWORD}`)
    await Promise.all([
      install('mlflow', {
        store: 'sqlite',
        image: imageOf('mlflow'),
        auth: {existingSecret: 'mlflow-auth'},
        persistence: {size: '1Gi'},
        server: {workers: 1},
        resources: small('2', '2Gi'),
      }),
      install('ray-cluster', {
        image: imageOf('train'),
        auth: {existingSecret: 'ray-token'},
        runAsUser: 10001,
        runAsGroup: 10001,
        head: {resources: small('2', '2Gi')},
        cpuWorkers: {minReplicas: 1, maxReplicas: 1, resources: small('1', '2Gi')},
        gpuWorkers: {enabled: false},
        autoscaler: {resources: small('1', '1Gi')},
      }),
    ])
    // Where nothing is kept from the last time, the images are built first.
  }, 1_500_000)

  afterAll(async () => {
    for (const tunnel of tunnels) tunnel.kill()
    await node?.stop()
  })

  function imageOf(id: 'mlflow' | 'train') {
    const {name} = node.images[id]
    const at = name.lastIndexOf(':')
    return {repository: name.slice(0, at), tag: name.slice(at + 1), pullPolicy: 'Never'}
  }

  async function install(chart: string, values: unknown) {
    const file = join(node.folder, `${chart}.json`)
    writeFileSync(file, JSON.stringify(values))
    const args = ['upgrade', '--install', chart, chartFolder(chart), '-n', 'team', '-f', file]
    await promisify(execFile)(clusterTool('helm4'), args, {env: node.env})
  }

  const pods = (): Manifest[] => JSON.parse(node.kubectl(['-n', 'team', 'get', 'pods', '-o', 'json'])).items

  async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const deadline = Date.now() + DEADLINE_MS
    for (;;) {
      const found = await look()
      if (found !== undefined) return found
      if (Date.now() > deadline) {
        const events = node.kubectl(['-n', 'team', 'get', 'events,pods', '--sort-by=.metadata.creationTimestamp'])
        throw new Error(`${what} did not come: ${events}`)
      }
      await new Promise(resolve => setTimeout(resolve, 500))
    }
  }

  /** A tunnel to a service once a pod stands behind it. */
  async function tunnel(service: string, port: number): Promise<string> {
    await until(`a ready pod of ${service}`, () => {
      const {items} = JSON.parse(
        node.kubectl([
          '-n',
          'team',
          'get',
          'endpointslices',
          '-l',
          `kubernetes.io/service-name=${service}`,
          '-o',
          'json',
        ]),
      )
      return (
        items.some(({endpoints}: Manifest) => endpoints?.some(({conditions}: Manifest) => conditions.ready)) ||
        undefined
      )
    })
    const child = spawn('kubectl', ['-n', 'team', 'port-forward', `service/${service}`, `:${port}`], {env: node.env})
    tunnels.push(child)
    const [line] = await once(child.stdout, 'data')
    return `http://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(String(line))?.[1]}`
  }

  it('lets into MLflow, through a tunnel, who signs in and nobody else', async () => {
    const url = await tunnel('mlflow', 5000)
    const ask = (headers = {}) =>
      fetch(`${url}/api/2.0/mlflow/experiments/search?max_results=1`, {headers}).catch(() => undefined)
    expect((await ask())?.status).toBe(401)
    const signedIn = await ask({authorization: `Basic ${btoa(`admin:${PASSWORD}`)}`})
    expect(await signedIn?.json()).toMatchObject({experiments: [{name: 'Default'}]})
  })

  it('runs a job with PyTorch, MLflow and mlvision in a worker pod, for who has the token', async () => {
    const url = await tunnel('ray-cluster-head-svc', 8265)
    const client = (token: string) => createRayClient({url, token: new Secret(token), python: 'python'})
    const ray = client(TOKEN)
    const submission = {submission_id: 'one', entrypoint: `python -c '${job}'`, metadata: {}, runtime_env: {}}
    await expect(client('another').submit(submission)).rejects.toMatchObject({code: 'MLV_RAY_SIGN_IN'})
    await ray.submit(submission)
    const ended = await until('the end of the job', async () => {
      const {status = 'PENDING'} = (await ray.get('one')) ?? {}
      return ['PENDING', 'RUNNING'].includes(status) ? undefined : status
    })
    const logs = await ray.logs('one')
    expect(ended, logs).toBe('SUCCEEDED')
    const [, result = '{}'] = /^RESULT (.*)$/m.exec(logs) ?? []
    const worker = pods().find(({metadata}) => metadata.labels['ray.io/node-type'] === 'worker')
    expect(JSON.parse(result)).toMatchObject({pod: worker.metadata.name, user: 10001, gradient: [2, 2, 2]})
  })

  it('has all containers running as nobody on a root that cannot be written, none of them started again', async () => {
    await until(
      'all pods',
      () => pods().every(({status}) => status.containerStatuses?.every(({ready}: Manifest) => ready)) || undefined,
    )
    for (const {spec, status} of pods()) {
      expect(spec.securityContext.runAsUser).toBe(10001)
      for (const {securityContext} of spec.containers) expect(securityContext.readOnlyRootFilesystem).toBe(true)
      expect(status.containerStatuses.map(({restartCount}: Manifest) => restartCount)).not.toContain(1)
    }
    const refused = (pod: string, container: string) => () =>
      node.kubectl(['-n', 'team', 'exec', pod, '-c', container, '--', 'touch', '/opt/written'])
    for (const {metadata, spec} of pods()) expect(refused(metadata.name, spec.containers[0].name)).toThrow('Read-only')
  })

  it('tells nobody where packages came from', () => {
    for (const {history} of Object.values(node.images)) {
      expect(history).toContain('uv pip install')
      expect(history).not.toMatch(/127\.0\.0\.1|https?:/)
    }
  })
})
