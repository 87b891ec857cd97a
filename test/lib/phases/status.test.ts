import {describe, expect, it} from 'vitest'

import {readStatus} from '../../../src/lib/phases/status.js'
import {acquireLock} from '../../../src/lib/targets/local/lock.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

describe('the status of a profile', () => {
  it('names who is at work on it, and does not take that for a setup that was cut off', async () => {
    const {context} = projectContext(await temporaryFolder())
    const lock = await acquireLock(context, 'mlv setup')
    const during = await readStatus({context, plan: []})
    await lock.release()
    expect(during.busy).toMatch(/^This profile is locked by `mlv setup` \(pid \d+/)
    expect(during.in_flight).toBeNull()
    expect((await readStatus({context, plan: []})).busy).toBeNull()
  })
})
