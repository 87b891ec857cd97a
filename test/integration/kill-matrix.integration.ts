import {existsSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {
  type Ended,
  finalState,
  heldPid,
  isRunning,
  platformFolder,
  platformsFolder,
  type Running,
  run,
  start,
  until,
} from '../_helpers/small-platform.js'

const phases = ['01-prepare', '02-cluster', '03-mlflow', '07-ray']
const moments = ['first', 'middle', 'last']

interface Blow {
  readonly name: string
  readonly env?: Record<string, string>
  strike(running: Running, held: number, folder: string, step: string): Promise<void> | void
  /** What mlv ends with. */
  readonly end: Partial<Ended>
  /** What the next setup says of the step that was in flight. */
  readonly says: RegExp
}

const blows: readonly Blow[] = [
  {
    name: 'SIGKILL of mlv',
    strike: ({child}) => void child.kill('SIGKILL'),
    end: {signal: 'SIGKILL'},
    says: /The last setup ended while .*PHASE was 'Building the STEP part'.* \(pid \d+, .*\); going on from there\./,
  },
  {
    name: 'SIGKILL of the program of a step',
    strike: (_, held) => void process.kill(held, 'SIGKILL'),
    end: {code: 1},
    says: /The last setup failed while .*PHASE was 'Building the STEP part'/,
  },
  {
    name: 'SIGKILL of all of them',
    strike({child}, held) {
      child.kill('SIGKILL')
      process.kill(held, 'SIGKILL')
    },
    end: {signal: 'SIGKILL'},
    says: /The last setup ended while .*PHASE was 'Building the STEP part'/,
  },
  {
    name: 'SIGINT',
    strike: ({child}) => void child.kill('SIGINT'),
    end: {code: 130},
    says: /The last setup was interrupted while .*PHASE was 'Building the STEP part'/,
  },
  {
    name: 'SIGINT twice',
    env: {STUBBORN: '1'},
    async strike({child}, _, folder, step) {
      child.kill('SIGINT')
      await until('the program to hear of it', () => existsSync(join(folder, 'platform', `${step}.asked`)))
      child.kill('SIGINT')
    },
    end: {code: 130},
    says: /The last setup was interrupted while .*PHASE was 'Building the STEP part'/,
  },
  {
    name: 'SIGTERM',
    strike: ({child}) => void child.kill('SIGTERM'),
    end: {code: 143},
    says: /The last setup was interrupted while .*PHASE was 'Building the STEP part'/,
  },
]

describe('a setup that is cut off', () => {
  let parent: string
  let unbroken: unknown

  afterAll(() => rm(parent, {force: true, recursive: true}))

  beforeAll(async () => {
    parent = await platformsFolder()
    const folder = await platformFolder(parent)
    expect(await run(folder)).toMatchObject({code: 0})
    unbroken = await finalState(folder)
    expect(unbroken).toMatchObject({code: 0, outcome: 'unchanged'})
  })

  const cases = blows.flatMap(blow =>
    phases.flatMap(phase => moments.map(moment => [blow.name, phase, moment, blow] as const)),
  )

  it.concurrent.each(cases)(
    'by %s in the %s %s step is finished by the next, as if nothing had happened',
    async (_, phase, moment, blow) => {
      const folder = await platformFolder(parent)
      const step = `${phase}.${moment}`
      const running = start(folder, {HOLD: `${phase}/${moment}`, ...blow.env})
      await until(`${step} to run`, () => heldPid(folder, step) !== undefined)
      const held = heldPid(folder, step) as number
      await blow.strike(running, held, folder, step)
      expect(await running.ended).toMatchObject(blow.end)

      const again = await run(folder)
      const says = new RegExp(blow.says.source.replace('PHASE', phase).replace('STEP', moment))
      expect(again).toMatchObject({code: 0, stderr: expect.stringMatching(says)})
      expect(isRunning(held)).toBe(false)
      expect(await finalState(folder)).toEqual(unbroken)
    },
  )
})
