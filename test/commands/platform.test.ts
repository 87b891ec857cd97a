import {existsSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {type Journey, startJourney} from '../_helpers/journey.js'

describe('where nothing was ever set up', () => {
  let journey: Journey

  beforeAll(async () => {
    journey = await startJourney()
  })
  afterAll(() => journey.end())

  it('status says that every phase is absent, with 2 only when asked, and leaves no folder', async () => {
    const plain = await journey.mlv('status')
    expect(plain).toMatchObject({code: 0, stderr: ''})
    expect(plain.stdout).toMatch(/03-mlflow +. absent/)
    expect(plain.stdout).toMatch(/^ *Ray +not running$/m)
    const coded = await journey.mlv('status', '--exit-code', '--json')
    expect(coded).toMatchObject({code: 1, stderr: ''})
    const {phases, ready, services} = JSON.parse(coded.stdout)
    expect(ready).toBe(false)
    expect(phases.map(({id, state}: {id: string; state: string}) => `${id} ${state}`)).toEqual([
      '01-prepare absent',
      '02-cluster absent',
      '03-mlflow absent',
      '04-users absent',
      '05-connection absent',
      '06-verify absent',
      '07-ray absent',
    ])
    expect(services.map(({url}: {url: string | null}) => url)).toEqual([null, null])
    expect(existsSync(join(journey.folder, '.mlv'))).toBe(false)
  })

  it.each([
    [['setup', '--only', '08'], 'MLV_USAGE_PHASE', '08-airflow is not a phase'],
    [['setup', '--from', 'mlfow'], 'MLV_USAGE_PHASE', '"mlfow" names no phase'],
    [['setup', '--only', '03', '--from', '03'], 'MLV_USAGE', '--from'],
    [['teardown', '--confirm', 'local'], 'MLV_USAGE', '--delete-data'],
    [['logs', 'airflow'], 'MLV_USAGE', 'airflow'],
  ])('%j is wrong usage', async (argv, code, words) => {
    const ended = await journey.mlv(...argv)
    expect(ended).toMatchObject({code: 2, stdout: ''})
    expect(ended.stderr).toContain(words)
    expect(ended.stderr).toContain(`Code: ${code}`)
    expect(ended.stderr).not.toMatch(/^ +at /m)
    expect(existsSync(join(journey.folder, '.mlv'))).toBe(false)
  })

  it('setup --dry-run shows the steps of each phase and changes nothing', async () => {
    const ended = await journey.mlv('setup', '--dry-run', '--json')
    expect(ended.code).toBe(0)
    const {outcome, phases} = JSON.parse(ended.stdout)
    expect(outcome).toBe('planned')
    expect(phases).toHaveLength(7)
    for (const phase of phases) expect(phase).toMatchObject({outcome: 'planned', plan: expect.any(Array)})
    expect(phases[0].plan.join('\n')).toContain('uv pip install --require-hashes')
    expect(existsSync(join(journey.folder, '.mlv'))).toBe(false)
  })

  it('teardown has nothing to remove, open and logs say what is missing', async () => {
    expect(await journey.mlv('teardown')).toMatchObject({code: 0, stdout: 'local has nothing to remove.\n'})
    const opened = await journey.mlv('open', 'mlflow')
    expect(opened.code).toBe(1)
    expect(opened.stderr).toContain('MLflow of profile local is not running.')
  })

  it('teardown removes data only when the name is given, and nothing beside the state folder', async () => {
    const file = join(journey.stateDir, 'data', 'note')
    await mkdir(join(journey.stateDir, 'data'), {recursive: true})
    await writeFile(file, 'kept')
    await writeFile(join(journey.folder, 'mine.txt'), 'mine')

    for (const argv of [['--yes'], ['--confirm', 'other'], []]) {
      const refused = await journey.mlv('teardown', '--delete-data', ...argv)
      expect(refused).toMatchObject({code: 2, stderr: expect.stringContaining('Code: MLV_USAGE_CONFIRM')})
      expect(existsSync(file)).toBe(true)
    }
    const removed = await journey.mlv('teardown', '--delete-data', '--confirm', 'local')
    expect(removed).toMatchObject({code: 0, stdout: expect.stringContaining('with its data')})
    expect(existsSync(journey.stateDir)).toBe(false)
    expect(existsSync(join(journey.folder, 'mine.txt'))).toBe(true)
    expect(await journey.mlv('teardown', '--delete-data', '--confirm', 'local')).toMatchObject({code: 0})
  })
})
