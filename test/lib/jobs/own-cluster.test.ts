import {afterEach, beforeEach, expect, it} from 'vitest'

import {MlvError} from '../../../src/lib/errors.js'
import {feedLog} from '../../../src/lib/jobs/log-feed.js'
import {createOwnClusterClient} from '../../../src/lib/jobs/own-cluster.js'
import {createRayClient, type JobClient} from '../../../src/lib/jobs/ray-client.js'
import {KubeError} from '../../../src/lib/tools/kube-error.js'
import type {JobClusterState, JobClusters} from '../../../src/lib/types/target.js'
import {type FakeRay, startFakeRay} from '../../_helpers/fake-ray.js'

let fake: FakeRay
let client: JobClient
let status: JobClusterState['status']
let silence: number
let isGone: boolean

beforeEach(async () => {
  fake = await startFakeRay()
  status = 'RUNNING'
  silence = 0
  isGone = false
  const clusters: JobClusters = {
    startMs: 1000,
    shapes: async () => [],
    create: async () => true,
    async find(id) {
      const words = 'No answer in time'
      if (silence-- > 0) throw new KubeError(new MlvError('MLV_CLUSTER_UNREACHABLE', words), 0, '')
      return {id, status, message: null, isStuck: false, metadata: {}, startTime: 1, endTime: null}
    },
    list: async () => [],
    ray: async () => (isGone ? undefined : fake.endpoint),
    remove: async () => undefined,
  }
  const savedLog = async () => 'what was kept\n'
  client = createOwnClusterClient({clusters, connect: endpoint => createRayClient(endpoint), savedLog})
})

afterEach(async () => {
  client.close()
  await fake.close()
})

async function follow(during: () => void | Promise<void>) {
  let text = ''
  const lost: boolean[] = []
  const {signal} = new AbortController()
  const onText = (piece: string) => {
    text += piece
  }
  const onConnection = (isLost: boolean) => void lost.push(isLost)
  const following = feedLog({ray: client, id: 'j', signal, onText, onConnection})
  await expect.poll(() => text, {timeout: 20_000}).toContain('one\n')
  await during()
  const job = await following
  return {job, lost, text}
}

it('follows a job over the loss of its head: what both heads wrote, each line once', async () => {
  fake.log = 'one\ntwo\n'
  const {text} = await follow(async () => {
    fake.log = 'uno\n'
    await expect.poll(() => client.logs('j'), {timeout: 20_000}).toBe('one\ntwo\nuno\n')
    fake.log = 'uno\ndos\n'
    status = 'SUCCEEDED'
  })
  expect(text).toBe('one\ntwo\nuno\ndos\n')
})

it('goes on following when the cluster gives no answer for a while', async () => {
  fake.log = 'one\n'
  const {job, lost} = await follow(() => {
    silence = 2
    fake.log = 'one\ntwo\n'
    status = 'SUCCEEDED'
  })
  expect(job?.status).toBe('SUCCEEDED')
  expect(lost).toEqual([true, false])
})

it('reads the log that was kept with the run once the cluster is gone', async () => {
  status = 'SUCCEEDED'
  isGone = true
  expect(await client.logs('j')).toBe('what was kept\n')
})
