import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect, it} from 'vitest'
import {stringify} from 'yaml'

import type {ClusterProject, Json} from '../_helpers/cluster-project.js'
import type {RealNode} from '../_helpers/real-node.js'

interface Platform {
  readonly node: RealNode
  readonly team: ClusterProject
  readonly rayValues: object
}

const CLAIM = ['--setting', 'storage=claim://checkpoints']

/** Jobs whose Ray cluster is their own, on a platform with a claim `checkpoints`. */
export function realOwnClusterCases(platform: () => Platform): void {
  const get = (...args: string[]): Json[] =>
    JSON.parse(platform().node.kubectl(['-n', 'team', 'get', ...args, '-o', 'json'])).items
  const explain = () => platform().node.kubectl(['-n', 'team', 'get', 'rayjobs,rayclusters,pods,events'])
  const until = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    const deadline = Date.now() + 180_000
    while (!(await isSo())) {
      if (Date.now() > deadline) throw new Error(`${what}: not within three minutes\n${explain()}`)
      await new Promise(resolve => setTimeout(resolve, 250))
    }
  }
  const own = () => get('pods', '-l', 'mlv.dev/job')
  const isGone = () => until('the cluster of the job is gone', () => own().length === 0)
  const job = async (...argv: string[]): Promise<Json> => {
    const result = await platform().team.json(...argv)
    const {stdout} = await platform().team.mlv('jobs', 'logs', ...(result.job ? [result.job.name] : []), ...CLAIM)
    if (result.job?.state !== 'succeeded') throw new Error(`${JSON.stringify(result)}\n${stdout}\n${explain()}`)
    return {...result, log: stdout}
  }
  const show = (name: string): Promise<Json> => platform().team.json('jobs', 'show', name)

  it('trains with code of one’s own on a Ray cluster of the job’s own, never on its head, and lets it go', async () => {
    const {team} = platform()
    await writeFile(join(team.folder, 'mine.py'), 'import helper\nprint("said by", helper.NAME)\n')
    await writeFile(join(team.folder, 'helper.py'), 'NAME = "code from the run"\n')
    const train = await team.mlv('train', '--isolation', 'cluster', '--name', 'alone', '--', 'python', 'mine.py')
    expect(train.code, `${train.stderr}${explain()}`).toBe(0)
    const log = train.stderr
    expect(log).toContain('said by code from the run')
    expect(log).toMatch(/Running on job-alone-\S+-worker-/)
    await isGone()
    const {stdout} = await team.mlv('jobs', 'logs', 'alone')
    expect(stdout).toContain('said by code from the run')
    expect((await team.json('jobs', 'list')).jobs.find(({name}: Json) => name === 'alone').state).toBe('succeeded')
  }, 300_000)

  it('searches, and trains on two processes, on clusters of the jobs’ own', async () => {
    const search = ['digits-sweep', '--trials', '4', '--set', 'epochs=1', '--name', 'search-alone']
    await job('tune', ...CLAIM, '--isolation', 'cluster', ...search)
    await isGone()
    const group = await job('ddp', ...CLAIM, '-j', '1x2', '--epochs', '1', '--name', 'group-alone')
    expect(group.log).not.toMatch(/on job-\S+-head-/)
    await isGone()
  }, 500_000)

  it('says why a job waits for its cluster, and stops it while it runs, with a checkpoint', async () => {
    const {team} = platform()
    const start = await team.mlv(
      'train',
      'digits',
      ...CLAIM,
      '--epochs',
      '500',
      '--isolation',
      'cluster',
      '--name',
      'long',
      '-d',
    )
    expect(start.code, start.stderr).toBe(0)
    const why = await team.json('jobs', 'why', 'long')
    expect(why.why).toMatch(/long waits for (the Ray cluster of its own|Ray)/)
    await until('the job runs', async () => /epoch +2\b/i.test((await team.mlv('jobs', 'logs', 'long')).stdout))
    expect(await team.json('jobs', 'stop', 'long')).toMatchObject({state: 'stopped', stopped: true})
    expect(await show('long')).toMatchObject({state: 'stopped'})
    expect((await team.mlv('jobs', 'wait', 'long')).code).toBe(101)
    await isGone()
  }, 400_000)

  it('goes on from its last checkpoint in the same run when the head of its cluster is lost, seen without a gap', async () => {
    const {node, team} = platform()
    const name = 'headless'
    const child = team.json('train', 'digits', ...CLAIM, '--epochs', '300', '--isolation', 'cluster', '--name', name)
    await until('the job runs', async () => /epoch +5\b/i.test((await team.mlv('jobs', 'logs', name)).stdout))
    node.kubectl([
      '-n',
      'team',
      'delete',
      'pod',
      '-l',
      'mlv.dev/job,ray.io/node-type=head',
      '--grace-period=0',
      '--force',
    ])
    const result = await child
    expect(result, `${JSON.stringify(result)}${explain()}`).toMatchObject({job: {state: 'succeeded'}})
    expect((await team.mlv('jobs', 'logs', name)).stdout).toMatch(/Going on after epoch \d+ from its checkpoint/)
    const runs = (await team.json('jobs', 'list')).jobs.filter((one: Json) => one.name === name)
    expect(runs).toHaveLength(1)
    await isGone()
  }, 400_000)

  it('says what the head of Ray wrote last when it crashes, and goes back to what worked', async () => {
    const {rayValues, team} = platform()
    const broken = {...rayValues, env: [{name: 'PATH', value: '/nowhere'}]}
    await writeFile(join(team.folder, 'broken.yaml'), stringify(broken))
    const setup = await team.mlv('setup', ...CLAIM, '--only', '07', '--setting', 'charts.rayValues=broken.yaml')
    expect(setup.code).toBe(1)
    expect(setup.stderr).toMatch(/ray-head ended with exit code 127/)
    expect(setup.stderr).toMatch(/ray: (command )?not found/)
    expect(setup.stderr).toContain('ray was rolled back')
    const again = await team.mlv('setup', ...CLAIM, '--only', '07')
    expect(again.code, again.stderr).toBe(0)
  }, 500_000)
}
