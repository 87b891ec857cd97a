import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {MlvError} from '../../../src/lib/errors.js'
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

async function begin(options: {lostMs?: number; tail?: number}) {
  const {abort, context, lines} = projectContext(await temporaryFolder())
  const mlflow = createMlflowClient({
    url: 'http://127.0.0.1:9',
    username: 'nobody',
    password: new Secret('x'),
    passwordFile: '/dev/null',
  })
  const run = {id: 'r'} as never
  const following = follow({context, mlflow, ray, run, name: 'job', submissionId: 'j', ...options})
  // Looked at below; until then it may end unseen.
  following.catch(() => undefined)
  return {abort, following, lines}
}

describe('following a job', () => {
  it('ends by itself when Ray never comes back, without saying that the job failed', async () => {
    const {following, lines} = await begin({lostMs: 200})
    await expect.poll(() => fake.requests.length, {timeout: 30_000}).toBeGreaterThan(0)
    await fake.close()
    await expect(following).rejects.toMatchObject({
      code: 'MLV_JOB_OUT_OF_SIGHT',
      exitCode: 69,
      tryThis: ['npx mlv status', 'npx mlv setup', 'npx mlv jobs wait job'],
    })
    expect(lines.join('')).toContain('Connection to Ray lost; trying again.')
  })

  it('begins with so many of the last lines, and shows every line after them', async () => {
    fake.log = 'one\ntwo\nthree\nfour\n'
    const {abort, following, lines} = await begin({tail: 2})
    await expect.poll(() => lines.join('')).toContain('four')
    fake.log += 'five\nsix\nseven\n'
    await expect.poll(() => lines.join('')).toContain('seven')
    abort.abort(new MlvError('MLV_INTERRUPTED', 'Interrupted.'))
    await expect(following).rejects.toMatchObject({exitCode: 130})
    expect(lines.join('').trim().split('\n')).toEqual(['three', 'four', 'five', 'six', 'seven'])
  })

  it('says how to come back to a job that goes on, after SIGTERM as after Ctrl-C', async () => {
    const {abort, following} = await begin({})
    abort.abort(new MlvError('MLV_TERMINATED', 'Asked to end (SIGTERM).'))
    await expect(following).rejects.toMatchObject({
      code: 'MLV_TERMINATED',
      exitCode: 143,
      message: 'Asked to end (SIGTERM); stopped following. The job job goes on.',
      tryThis: ['npx mlv jobs logs job -f', 'npx mlv jobs stop job'],
    })
  })
})
