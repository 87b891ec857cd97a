import * as fc from 'fast-check'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {createCursor, feedLog} from '../../../src/lib/jobs/log-feed.js'
import {createRayClient, type RayClient} from '../../../src/lib/jobs/ray-client.js'
import {type FakeRay, startFakeRay} from '../../_helpers/fake-ray.js'

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

describe('following a log', () => {
  it('gives every piece once, in order, whatever is cut, repeated or late', () => {
    void fc.assert(
      fc.property(
        fc.string({maxLength: 200}),
        fc.array(fc.tuple(fc.nat(200), fc.nat(200), fc.boolean())),
        (log, pieces) => {
          let got = ''
          const cursor = createCursor(text => {
            got += text
          })
          for (const [from, to, isWhole] of pieces) {
            if (isWhole) cursor.whole(log.slice(0, to))
            else cursor.piece(log.slice(from, to), from)
            expect(log.startsWith(got)).toBe(true)
          }
          cursor.whole(log)
          expect(got).toBe(log)
        },
      ),
    )
  })

  it('loses and doubles no line when connections are cut and Ray answers 500', async () => {
    const lines = Array.from({length: 30}, (_, index) => `line ${index}`)
    fake.failures.push('cut', {status: 500, text: 'Traceback\nRuntimeError: busy'})
    let got = ''
    let written = 0
    const connection: boolean[] = []
    const job = await feedLog({
      ray,
      id: 'j',
      signal: new AbortController().signal,
      onText: text => {
        got += text
      },
      onJob: () => {
        fake.log += lines
          .slice(written, written + 10)
          .join('\n')
          .concat(written < 30 ? '\n' : '')
        written += 10
        if (written === 20) fake.failures.push('cut')
        if (written > 30) fake.status = 'SUCCEEDED'
      },
      onConnection: isLost => connection.push(isLost),
    })
    expect(job?.status).toBe('SUCCEEDED')
    expect(got.trim().split('\n')).toEqual(lines)
    expect(connection).toEqual([true, false, true, false])
  })

  it('ends at once when it is told to leave, without a word to Ray about the job', async () => {
    const leave = new AbortController()
    const reason = new Error('left')
    const feed = feedLog({
      ray,
      id: 'j',
      signal: leave.signal,
      onText: () => undefined,
      onJob: () => leave.abort(reason),
    })
    await expect(feed).rejects.toBe(reason)
    expect(fake.requests.every(request => request.startsWith('GET '))).toBe(true)
  })
})

describe("Ray's Jobs API", () => {
  it('waits for an agent that a fresh head does not have yet', async () => {
    fake.failures.push({status: 500, text: 'No available agent to submit job, please try again later.'})
    expect(await ray.submit({submission_id: 'j', entrypoint: 'x', metadata: {}, runtime_env: {}})).toBe(true)
    expect(fake.requests).toHaveLength(2)
  })

  it('does not send a job again after any other refusal', async () => {
    fake.failures.push({status: 500, text: 'Traceback\nRuntimeError: disk'})
    const submission = {submission_id: 'j', entrypoint: 'x', metadata: {}, runtime_env: {}}
    await expect(ray.submit(submission)).rejects.toMatchObject({code: 'MLV_RAY_REFUSED', message: /disk\./})
    expect(fake.requests).toHaveLength(1)
  })

  it('says that an id is taken', async () => {
    // As Ray 2.60 says it: the agent's 400 wrapped in the head's 500.
    const text =
      'RuntimeError: Request failed with status code 400: Traceback\nValueError: Job with submission_id j already exists. Please use a different submission_id.\n.\n'
    fake.failures.push({status: 500, text})
    expect(await ray.submit({submission_id: 'j', entrypoint: 'x', metadata: {}, runtime_env: {}})).toBe(false)
  })

  it('names a token that is not accepted, and a head that is gone', async () => {
    fake.failures.push({status: 403, text: 'no'})
    await expect(ray.list()).rejects.toMatchObject({code: 'MLV_RAY_SIGN_IN'})
    await fake.close()
    await expect(ray.list()).rejects.toMatchObject({
      code: 'MLV_RAY_UNREACHABLE',
      tryThis: expect.arrayContaining(['mlv setup']),
    })
  })
})
