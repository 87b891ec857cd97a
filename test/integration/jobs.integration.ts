import {execFileSync} from 'node:child_process'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'
import {eightWriters} from '../_helpers/eight-writers.js'
import {bin, type Journey, startJourney} from '../_helpers/journey.js'
import {mlflowOf} from '../_helpers/journey-mlflow.js'
import {root} from '../_helpers/source-tree.js'

/** Says what it got, and ends with the exit code that it is told. */
const echo = `import json, os, sys
names = ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "MLV_JOB_NAME", "MLV_CHECKPOINT_DIR")
print(json.dumps({"argv": sys.argv[2:], "files": sorted(os.listdir(".")), "has": [n for n in names if os.environ.get(n)], "spec": os.environ.get("MLV_JOB_SPEC")}))
sys.exit(int(sys.argv[1]))
`

/** Ticks until it is stopped; then it has something to put in order. */
const slow = `import signal, sys, time
def stop(*_):
    print("checkpoint written", flush=True)
    time.sleep(1)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
for number in range(int(sys.argv[1])):
    print("tick", number, flush=True)
    time.sleep(0.2)
`

let journey: Journey

beforeAll(async () => {
  journey = await startJourney()
  await writeFile(join(journey.folder, 'mlv.yaml'), 'default: local\nprofiles:\n  local:\n    target: local\n')
  await writeFile(join(journey.folder, 'echo.py'), echo)
  await writeFile(join(journey.folder, 'slow.py'), slow)
  await writeFile(join(journey.folder, '.env'), 'SECRET=do-not-send')
  const setup = await journey.mlv('setup', '--yes')
  expect(setup.stderr).not.toContain('Error')
  expect(setup.code).toBe(0)
})

afterAll(async () => {
  await journey?.mlv('teardown', '--delete-data', '--confirm', 'local')
  await journey?.end()
})

describe('a command of your own', () => {
  it('gets its arguments and files unchanged, its variables, and no secret file', async () => {
    const odd = ['a b', `it's "quoted" $HOME \`x\``, '한국어', '--set=1']
    const {code, stderr, stdout} = await journey.mlv('train', '--json', '--', 'python', 'echo.py', '0', ...odd)
    expect({code, stderr}).toMatchObject({code: 0})
    const said = JSON.parse(stderr.split('\n').find(line => line.startsWith('{"argv"')) ?? '')
    expect(said.argv).toEqual(odd)
    expect(said.files).toEqual(['echo.py', 'mlv.yaml', 'slow.py'])
    expect(said.has).toHaveLength(4)
    // Ray's processes in the default environment know nothing of the job: they are ready before it comes.
    expect(said.spec).toBeNull()
    expect(JSON.parse(stdout)).toMatchObject({
      job: {name: expect.stringMatching(/^echo-/), state: 'succeeded', exit_code: 0},
      run: {url: expect.stringContaining('/#/experiments/')},
    })
  })

  it('ends mlv with 100 and its own exit code in the JSON when it fails', async () => {
    const own = ['--isolation', 'cluster']
    const {code, stderr, stdout} = await journey.mlv('train', '--json', ...own, '--', 'python', 'echo.py', '3')
    expect(code).toBe(100)
    expect(stderr).toContain('Profile local has one Ray for all jobs: isolation changes nothing here.')
    expect(JSON.parse(stdout).job).toMatchObject({state: 'failed', exit_code: 3})
  })
})

describe('a key', () => {
  it('submits once, also when it is used twice at the same moment', async () => {
    const submit = () => journey.mlv('train', '--json', '--idempotency-key', 'once', '--', 'python', 'slow.py', '3')
    const both = await Promise.all([submit(), submit()])
    const [first, second] = both.map(({stdout}) => JSON.parse(stdout))
    expect(first.run.id).toBe(second.run.id)
    expect([first.job.state, second.job.state]).toEqual(['succeeded', 'succeeded'])
    const {jobs} = JSON.parse((await journey.mlv('jobs', 'list', '--json')).stdout)
    expect(jobs.filter((job: {id: string}) => job.id === 'once')).toHaveLength(1)
  })
})

describe('a job that goes on', () => {
  it('outlives the end of the wait and Ctrl-C, and is stopped once, after its checkpoint', async () => {
    const waited = await journey.mlv('train', '-n', 'long', '--wait', '6', '--', 'python', 'slow.py', '1000')
    expect(waited.code).toBe(69)
    expect(waited.stderr).toContain(`${bin} jobs wait long`)
    const following = journey.start('jobs', 'logs', 'long', '-f')
    const ended = new Promise<number | null>(resolve => following.once('exit', resolve))
    following.stderr?.once('data', () => following.kill('SIGINT'))
    expect(await ended).toBe(130)
    expect(JSON.parse((await journey.mlv('jobs', 'show', 'long', '--json')).stdout).state).toBe('running')
    expect(JSON.parse((await journey.mlv('jobs', 'stop', '--json')).stdout)).toEqual({
      job: 'long',
      state: 'stopped',
      stopped: true,
    })
    expect(JSON.parse((await journey.mlv('jobs', 'stop', 'long', '--json')).stdout).stopped).toBe(false)
    expect((await journey.mlv('jobs', 'wait', 'long')).code).toBe(101)
    expect((await journey.mlv('jobs', 'logs', 'long')).stdout).toContain('checkpoint written')
  })

  it('runs again from another folder with the code that was saved, not with what is there now', async () => {
    const {stdout} = await journey.mlv('train', '--json', '-n', 'first', '--', 'python', 'echo.py', '0', 'saved')
    expect(JSON.parse(stdout).job.state).toBe('succeeded')
    await writeFile(join(journey.folder, 'echo.py'), 'raise SystemExit("not this one")')
    await mkdir(join(journey.folder, 'out'))
    const again = await journey.mlv('jobs', 'rerun', 'first', '--name', 'second', '--json')
    expect(again.code).toBe(0)
    expect(again.stderr).toContain('"saved"')
    const {code} = await journey.mlv('jobs', 'logs', 'second', '--download', 'out')
    expect(code).toBe(0)
    expect(JSON.parse(await readFile(join(journey.folder, 'out/job/spec.json'), 'utf8')).work.argv).toContain('saved')
  })
})

describe('a job of an mlv with other packages', () => {
  it('runs again with just the packages that were saved with it', async () => {
    const names = 'import importlib.metadata as m; print("PACKAGES", sorted(d.name for d in m.distributions()))'
    const {stdout} = await journey.mlv('train', '--json', '-n', 'older', '--', 'python', '-c', names)
    await saveOtherPackages(journey, JSON.parse(stdout).run.id, 'six')
    const again = await journey.mlv('jobs', 'rerun', 'older', '-n', 'older-again', '--json')
    expect({code: again.code, stderr: again.stderr}).toMatchObject({code: 0})
    expect(again.stderr).toContain("PACKAGES ['six']")
    const third = await journey.mlv('jobs', 'rerun', 'older-again', '--json')
    expect(third.stderr).toContain("PACKAGES ['six']")
  })
})

/** Makes the run look as if only one package, with its hashes, had been in its lock. */
async function saveOtherPackages(journey: Journey, runId: string, name: string): Promise<void> {
  const {artifacts, runs} = await mlflowOf(journey)
  const lock = await readFile(join(root, 'python', 'requirements.lock'), 'utf8')
  const entry = new RegExp(`^${name}==.*(\\n {4}--hash.*)+`, 'm').exec(lock)?.[0] ?? ''
  const {artifactUri} = await runs.get(runId)
  await artifacts.upload(artifactUri, 'job/requirements.lock', `${entry}\n`)
  await artifacts.upload(artifactUri, 'job/torch-versions.json', '{}')
}

describe('a run that says RUNNING while Ray knows no job of it', () => {
  it('is failed with the reason, once it is too old to be one that is being submitted', async () => {
    const mlflow = await mlflowOf(journey)
    const {experiment} = await mlflow.experiments.ensure('orphans')
    const orphan = async (name: string, minutes: number) => {
      const tags = {'mlv.job.name': name, 'mlv.job.user': 'somebody', 'mlv.job.submission_id': name}
      const startTime = Date.now() - minutes * 60_000
      return (await mlflow.runs.create({experimentId: experiment.id, name, startTime, tags})).id
    }
    const [old, young] = [await orphan('orphan', 60), await orphan('newborn', 0)]
    const {jobs} = JSON.parse((await journey.mlv('jobs', 'list', '--all', '--json')).stdout)
    const stateOf = (name: string) => jobs.find((job: {name: string}) => job.name === name).state
    expect([stateOf('orphan'), stateOf('newborn')]).toEqual(['failed', 'running'])
    expect(await mlflow.runs.get(old)).toMatchObject({
      status: 'FAILED',
      tags: {'mlv.job.reason': expect.stringContaining('Ray no longer knows the job')},
    })
    expect((await mlflow.runs.get(young)).status).toBe('RUNNING')
    await mlflow.runs.delete(young)
  })
})

describe('a job from a git repository', () => {
  it('keeps the commit, the branch and the uncommitted patch with its run', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
        cwd: journey.folder,
        encoding: 'utf8',
      }).trim()
    git('init', '--quiet', '--initial-branch', 'trunk')
    git('add', 'slow.py')
    git('commit', '--quiet', '--message', 'Tick')
    await writeFile(join(journey.folder, 'slow.py'), `${slow}# changed since\n`)
    const {stdout} = await journey.mlv('train', '--json', '--', 'python', 'slow.py', '1')
    const {artifacts, runs} = await mlflowOf(journey)
    const {artifactUri, tags} = await runs.get(JSON.parse(stdout).run.id)
    const commit = git('rev-parse', 'HEAD')
    expect(tags).toMatchObject({
      'mlflow.source.git.commit': commit,
      'mlv.job.git_commit': commit,
      'mlv.job.git_branch': 'trunk',
      'mlv.job.git_dirty': 'true',
    })
    expect(Buffer.from(await artifacts.read(artifactUri, 'job/changes.patch')).toString()).toContain('+# changed since')
  })
})

describe('wrong words', () => {
  it.each([
    [['train', '--gpus', '64', 'digits'], 1, 'MLV_JOB_TOO_BIG'],
    [['train', '-n', 'first', '--', 'python', 'slow.py', '1'], 1, 'MLV_JOB_EXISTS'],
    [['train', '-n', 'a b'], 2, 'MLV_JOB_NAME'],
    [['train', 'digits', '--', 'python', 'slow.py'], 2, 'MLV_JOB_COMMAND'],
    [['train', '--', 'cat', '.env'], 1, 'MLV_UPLOAD_LEFT_OUT'],
    [['train', 'digitz'], 2, 'MLV_TEMPLATE_UNKNOWN'],
    [['jobs', 'show', 'frist'], 1, 'MLV_JOB_UNKNOWN'],
  ])('%j are one sentence with a code, and change nothing', async (argv, exit, code) => {
    const {code: ended, stderr, stdout} = await journey.mlv(...argv)
    expect(stdout).toBe('')
    expect(stderr).toContain(`Code: ${code}`)
    expect(stderr).toContain('Try this:')
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(ended).toBe(exit)
  })
})

describe('SQLite', () => {
  it('loses no point and locks nothing while eight processes write at once', async () => {
    const {complaints, locks, readBack, sent} = await eightWriters(journey)
    expect(complaints).toEqual([])
    expect(readBack).toEqual(sent)
    expect(locks).toEqual([])
  })
})

// Last: it takes everything away that a reboot does.
describe('after a reboot', () => {
  it('setup brings MLflow and Ray back at their addresses, with every job that was', async () => {
    const before = JSON.parse((await journey.mlv('jobs', 'list', '--all', '--limit', '100', '--json')).stdout).jobs
    const addresses = await readFile(join(journey.stateDir, 'ports.json'), 'utf8')
    for (let left = await journey.processes(); left.length > 0; left = await journey.processes()) {
      for (const {pid} of left) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {}
      }
    }
    expect((await journey.mlv('status', '--exit-code')).code).toBe(1)
    const setup = await journey.mlv('setup', '--yes')
    expect({code: setup.code, stderr: setup.stderr}).toMatchObject({code: 0})
    expect(await readFile(join(journey.stateDir, 'ports.json'), 'utf8')).toBe(addresses)
    const after = JSON.parse((await journey.mlv('jobs', 'list', '--all', '--limit', '100', '--json')).stdout).jobs
    const states = (jobs: {name: string; state: string}[]) => jobs.map(({name, state}) => `${name} ${state}`)
    expect(states(after)).toEqual(states(before))
    const {stdout} = await journey.mlv('train', '--json', '--', 'python', 'slow.py', '1')
    expect(JSON.parse(stdout).job.state).toBe('succeeded')
  })

  it('teardown names the jobs that end with the platform', async () => {
    expect(await journey.mlv('train', '-d', '-n', 'late', '--', 'python', 'slow.py', '10000')).toMatchObject({code: 0})
    const {code, stderr} = await journey.mlv('teardown', '--yes')
    expect({code, stderr}).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('The job late is running, and ends now.'),
    })
  })
})
