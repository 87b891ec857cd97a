import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {type Journey, startJourney} from '../_helpers/journey.js'

type Blow = 'SIGINT' | 'SIGTERM' | 'SIGKILL' | 'SIGKILL of everything'

/** Each phase that starts or proves something, each signal; the files-only matrix has all combinations. */
const cases: readonly [phase: string, step: string, blow: Blow, exit: number | null][] = [
  ['07-ray', 'start', 'SIGKILL', null],
  ['03-mlflow', 'start', 'SIGKILL of everything', null],
  ['07-ray', 'start', 'SIGINT', 130],
  ['04-users', 'save-user', 'SIGKILL', null],
  ['06-verify', 'prove', 'SIGTERM', 143],
]

interface Line {
  readonly event: string
  readonly phase?: string
  readonly step?: string
}

describe('a setup of the local target that is cut off', () => {
  let journey: Journey

  // A world of its own for each case: a failed one leaves nothing to the next. The Python environment is shared.
  beforeEach(async () => {
    journey = await startJourney()
  })
  afterEach(() => journey.end())

  async function journal(): Promise<readonly Line[]> {
    const text = await readFile(join(journey.stateDir, 'journal.jsonl'), 'utf8').catch(() => '')
    const lines = text.split('\n').slice(0, -1)
    return lines.slice(lines.findLastIndex(line => line.includes('run-started'))).map(line => JSON.parse(line) as Line)
  }

  async function untilInStep(phase: string, step: string): Promise<void> {
    const deadline = Date.now() + 180_000
    const isThere = ({event, ...line}: Line) => event === 'step-started' && line.phase === phase && line.step === step
    while (!(await journal()).some(isThere)) {
      if (Date.now() > deadline) throw new Error(`Waited in vain for ${phase}/${step}.`)
      await new Promise(resolve => setTimeout(resolve, 15))
    }
  }

  it.each(cases)('in %s (%s) by %s is finished by the next setup, which names it', async (phase, step, blow, exit) => {
    const child = journey.start('setup')
    const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
    await untilInStep(phase, step)
    child.kill(blow.startsWith('SIGKILL') ? 'SIGKILL' : (blow as NodeJS.Signals))
    if (blow === 'SIGKILL of everything') {
      for (const {pid} of await journey.processes()) process.kill(pid, 'SIGKILL')
    }
    expect(await ended).toBe(exit)

    const again = await journey.mlv('setup')
    const says = new RegExp(`The last setup .*${phase} was '.*'.*; going on from there\\.`)
    expect(again).toMatchObject({code: 0, stderr: expect.stringMatching(says)})
    const status = await journey.mlv('status', '--json', '--exit-code')
    expect(status.code).toBe(0)
    expect(JSON.parse(status.stdout)).toMatchObject({ready: true, in_flight: null})
    // One server and one head, whatever the broken setup had started.
    const commands = (await journey.processes()).map(({command}) => command)
    expect(commands.filter(command => /mlflow server/.test(command)).length).toBeLessThanOrEqual(1)
    expect(commands.filter(command => /gcs_server/.test(command))).toHaveLength(1)

    expect((await journey.mlv('teardown')).code).toBe(0)
    expect(await journey.processes()).toEqual([])
  })
})
