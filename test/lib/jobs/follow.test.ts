import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {follow} from '../../../src/lib/jobs/follow.js'
import {createRayClient, type RayClient} from '../../../src/lib/jobs/ray-client.js'
import {createMlflowClient} from '../../../src/lib/mlflow/client.js'
import {Secret} from '../../../src/lib/tools/secret.js'
import {type FakeRay, startFakeRay} from '../../_helpers/fake-ray.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

let fake: FakeRay
let ray: RayClient

beforeEach(async () => {
  fake = await startFakeRay()
  ray = createRayClient(fake.endpoint)
})

afterEach(async () => {
  ray.close()
  await fake.close()
})

describe('following a job', () => {
  it('ends by itself when Ray never comes back, without saying that the job failed', async () => {
    const {context, lines} = projectContext(await temporaryFolder())
    const mlflow = createMlflowClient({
      url: 'http://127.0.0.1:9',
      username: 'nobody',
      password: new Secret('x'),
      passwordFile: '/dev/null',
    })
    const run = {id: 'r'} as never
    const following = follow({context, mlflow, ray, run, name: 'job', submissionId: 'j', lostMs: 200})
    await expect.poll(() => fake.requests.length, {timeout: 30_000}).toBeGreaterThan(0)
    await fake.close()
    await expect(following).rejects.toMatchObject({
      code: 'MLV_JOB_OUT_OF_SIGHT',
      exitCode: 69,
      tryThis: ['npx mlv status', 'npx mlv setup', 'npx mlv jobs wait job'],
    })
    expect(lines.join('')).toContain('Connection to Ray lost; trying again.')
  })
})
