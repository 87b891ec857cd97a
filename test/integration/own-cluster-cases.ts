import {expect, it} from 'vitest'

import {profileSchema} from '../../src/lib/profile/profile.js'
import {connectCluster} from '../../src/lib/targets/kubernetes/connect.js'
import {clusterHindrances} from '../../src/lib/targets/kubernetes/hindrances.js'
import {openCluster} from '../../src/lib/targets/kubernetes/open-cluster.js'
import type {Kube} from '../../src/lib/tools/kube-session.js'
import type {JobClusterRequest, JobClusters} from '../../src/lib/types/target.js'
import type {Json} from '../_helpers/cluster-project.js'
import type {Cluster} from '../_helpers/kit.js'
import {projectContext} from '../_helpers/project-context.js'

interface Platform {
  readonly cluster: Cluster
  /** A folder of somebody whose profile is set up. */
  readonly folder: string
  readonly settings: object
}

const request = (id: string, needs: Partial<JobClusterRequest['needs']> = {}): JobClusterRequest => ({
  id,
  entrypoint: 'exec python -m mlvision.entry.driver',
  metadata: {'mlv.run_id': 'r1'},
  runtimeEnv: {env_vars: {MLV_JOB_SPEC: '{"a": "\\u0024HOME"}'}, working_dir: 'local:///mnt/job/code'},
  needs: {cpus: 1, gpus: 0, places: 1, machines: 1, ...needs},
  artifacts: '1/r1/artifacts',
  folders: {'job/mlvision.zip': '/mnt/job/mlvision', 'job/code.zip': '/mnt/job/code'},
})

/** Jobs with a Ray cluster of their own, on a control plane that is set up already. */
export function ownClusterCases(platform: () => Platform): void {
  const kubectl = (...args: string[]) => platform().cluster.kubectl(['-n', 'team', ...args])
  const get = (...args: string[]): Json => JSON.parse(kubectl('get', ...args, '-o', 'json'))
  const until = async <T>(look: () => T | Promise<T>, isGood: (value: T) => boolean): Promise<T> => {
    const deadline = Date.now() + 60_000
    for (;;) {
      const value = await look()
      if (isGood(value) || Date.now() > deadline) return value
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
  const pods = (id: string): Json[] =>
    get('pods', '-l', 'mlv.dev/job').items.filter(({metadata}: Json) => metadata.labels['mlv.dev/job'].includes(id))

  async function withClusters<T>(
    use: (clusters: JobClusters, why: (id: string) => Promise<string>) => Promise<T>,
    jobClusters: object = {},
  ): Promise<T> {
    const {cluster, folder, settings} = platform()
    const {context} = projectContext(folder, cluster.env)
    const profile = {
      name: 'team',
      settings: profileSchema.parse({target: 'kubernetes', ...settings, jobClusters}),
    }
    let kube: Kube | undefined
    const full = {
      ...context,
      profile,
      kube: async () => {
        kube ??= await openCluster({...context, profile})
        return kube
      },
    }
    const {jobClusters: clusters} = connectCluster(full)
    if (!clusters) throw new Error('This target makes no clusters of jobs’ own.')
    try {
      return await use(clusters, async id => (await clusterHindrances(full, id)).map(({what}) => what).join(' '))
    } finally {
      await kube?.close()
    }
  }

  /** What Ray's autoscaler writes, which no simulated head runs. */
  const gpuWorkers = (replicas: number): Promise<Json[]> => {
    const pods = () => get('pods', '-l', 'ray.io/cluster=ray,ray.io/group=gpu').items
    const names = pods().map(({metadata}: Json) => metadata.name)
    const groups = get('raycluster', 'ray').spec.workerGroupSpecs.map((group: Json) =>
      group.groupName === 'gpu' ? {...group, replicas, scaleStrategy: {workersToDelete: names.slice(replicas)}} : group,
    )
    kubectl('patch', 'raycluster', 'ray', '--type=merge', '-p', JSON.stringify({spec: {workerGroupSpecs: groups}}))
    return until(pods, found => found.length === replicas)
  }

  it('gives a job a cluster of its own, as strict as the shared one, with its head off spot nodes', async () => {
    await withClusters(async clusters => {
      expect(await clusters.create(request('own', {places: 6}))).toBe(true)
      expect(await clusters.create(request('own'))).toBe(false)
      const [job] = get('rayjobs').items
      expect(job.spec).toMatchObject({
        submissionMode: 'HTTPMode',
        backoffLimit: 0,
        shutdownAfterJobFinishes: true,
        ttlSecondsAfterFinished: 120,
        activeDeadlineSeconds: 86_400,
        jobId: 'own',
      })
      // Six CPUs are two pods of four.
      const made = await until(
        () => pods('own'),
        found => found.length === 3,
      )
      const ofType = (type: string) => made.filter(({metadata}) => metadata.labels['ray.io/node-type'] === type)
      const [head] = ofType('head')
      expect(ofType('worker')).toHaveLength(2)
      const isSpot = ({key}: Json) => /spot|scalesetpriority/.test(key ?? '')
      expect(head.spec.tolerations.filter(isSpot)).toEqual([])
      expect(ofType('worker')[0].spec.tolerations.filter(isSpot)).toHaveLength(2)
      expect(job.spec.rayClusterSpec.headGroupSpec.rayStartParams).toMatchObject({'num-cpus': '0', 'num-gpus': '0'})
      for (const {spec} of made) {
        expect(spec.automountServiceAccountToken).toBe(false)
        expect(spec.serviceAccountName).toBe('ray-worker')
        expect(spec.securityContext).toMatchObject({runAsNonRoot: true, seccompProfile: {type: 'RuntimeDefault'}})
        for (const container of [...spec.initContainers, ...spec.containers])
          expect(container.securityContext).toMatchObject({
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: {drop: ['ALL']},
          })
      }
      const [policy] = get('networkpolicies', '-l', 'mlv.dev/job').items
      expect(policy.spec.podSelector.matchLabels).toEqual({'mlv.dev/job': job.metadata.name})
      expect(policy.metadata.ownerReferences[0]).toMatchObject({kind: 'RayJob', name: job.metadata.name})
    })
  })

  it('shows no secret in the objects of such a job', () => {
    const text = kubectl('get', 'rayjobs,rayclusters,pods,events', '-o', 'yaml')
    for (const name of ['mlv-mlflow', 'mlv-ray', 'mlv-jobs', 'mlv-bucket'])
      for (const value of Object.values<string>(get('secret', name).data)) {
        const secret = atob(value)
        if (secret.length > 8) expect(text.includes(secret), `${name} is shown`).toBe(false)
      }
  })

  it('leaves nothing of a job that is removed', async () => {
    await withClusters(async clusters => {
      await clusters.remove('own')
      const left = () => get('rayjobs,rayclusters,networkpolicies,pods', '-l', 'mlv.dev/job').items.length
      expect(await until(left, count => count === 0)).toBe(0)
      expect(
        await until(
          () => pods('own').length,
          count => count === 0,
        ),
      ).toBe(0)
      expect(await clusters.find('own')).toBeUndefined()
    })
  })

  it('refuses at once a job that no pod can ever have room for', async () => {
    await withClusters(async clusters => {
      const never = clusters.create(request('never', {cpus: 64}))
      await expect(never).rejects.toMatchObject({code: 'MLV_JOB_TOO_BIG'})
      expect(get('rayjobs').items).toEqual([])
    })
  })

  it('says which quota keeps its pods from being made', async () => {
    const hard = {pods: String(get('pods').items.length)}
    const quota = {apiVersion: 'v1', kind: 'ResourceQuota', metadata: {name: 'tight'}, spec: {hard}}
    platform().cluster.kubectl(['-n', 'team', 'apply', '-f', '-'], JSON.stringify(quota))
    try {
      await withClusters(async (clusters, why) => {
        await clusters.create(request('poor'))
        const seen = await until(
          () => clusters.find('poor'),
          state => /quota/.test(state?.message ?? ''),
        )
        expect(seen?.message).toMatch(/the cluster refuses a pod: exceeded quota: tight/)
        expect(await why('poor')).toContain('exceeded quota: tight')
        await clusters.remove('poor')
      })
    } finally {
      kubectl('delete', 'resourcequota', 'tight')
    }
  })

  it('tells a head that crashes again and again by its last words, and lets its cluster go', async () => {
    await withClusters(async clusters => {
      await clusters.create(request('crashing'))
      const [head] = await until(
        () => pods('crashing'),
        found => found.length > 0,
      )
      const state = {waiting: {reason: 'CrashLoopBackOff'}}
      const lastState = {terminated: {exitCode: 1, reason: 'Error'}}
      const container = {name: 'ray-head', ready: false, restartCount: 4, image: 'x', imageID: '', state, lastState}
      const status = {conditions: [{type: 'Ready', status: 'False'}], containerStatuses: [container]}
      kubectl(
        'patch',
        'pod',
        head.metadata.name,
        '--subresource=status',
        '--type=merge',
        '-p',
        JSON.stringify({status}),
      )
      const end = await until(
        () => clusters.find('crashing'),
        found => found?.status === 'FAILED',
      )
      expect(end).toMatchObject({
        isStuck: true,
        message: expect.stringContaining('ray-head ended with exit code 1, 4 times'),
      })
      await clusters.remove('crashing')
    })
  })

  it('grows its GPU workers from none to five and back, as objects and events tell', async () => {
    const five = await gpuWorkers(5)
    expect(five).toHaveLength(5)
    for (const pod of five) expect(pod.spec.containers[0].resources.limits['nvidia.com/gpu']).toBe('1')
    const nodes = () => get('pods', '-l', 'ray.io/group=gpu').items.map(({spec}: Json) => spec.nodeName)
    expect(new Set(await until(nodes, found => !found.includes(undefined))).size).toBe(5)
    expect(await gpuWorkers(0)).toEqual([])
    const reasons = get('events').items.map(({reason}: Json) => reason)
    expect(reasons).toContain('CreatedWorkerPod')
    expect(reasons).toContain('DeletedWorkerPod')
  })

  it('says which nodes lack what while others hold the GPUs, and gives up after its time to start, or to end', async () => {
    await withClusters(async clusters => void (await clusters.create(request('late'))), {deadline: 0.002})
    expect(await gpuWorkers(5)).toHaveLength(5)
    await withClusters(
      async (clusters, why) => {
        await clusters.create(request('greedy', {gpus: 1, places: 2}))
        const seen = await until(
          () => why('greedy'),
          words => /no node takes it/.test(words),
        )
        expect(seen).toMatch(/Insufficient nvidia\.com\/gpu/)
        const end = await until(
          () => clusters.find('greedy'),
          state => state?.status === 'FAILED',
        )
        expect(end?.message).toMatch(/its cluster was not there within 12 s .*no node takes it/)
        await clusters.remove('greedy')
      },
      {start: 0.2},
    )
    expect(await gpuWorkers(0)).toEqual([])
    await withClusters(
      async clusters => {
        const late = await until(
          () => clusters.find('late'),
          state => state?.status === 'FAILED',
        )
        expect(late?.message).toBe('it took longer than 8.0 s (jobClusters.deadline)')
        await clusters.remove('late')
      },
      {deadline: 0.002},
    )
  })
}
