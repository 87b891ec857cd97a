import {spawn, spawnSync} from 'node:child_process'
import {chmod, mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {bin, type Ended, ended, type Journey, node, startJourney} from '../_helpers/journey.js'
import {until} from '../_helpers/small-platform.js'

let journey: Journey

beforeEach(async () => {
  journey = await startJourney()
})

afterEach(async () => {
  await journey?.end()
})

/** What every bad end has to have. */
function isOneSentence({code, stderr, stdout}: Ended, exit: number, name: string): void {
  expect({code, stderr}).toMatchObject({code: exit, stderr: expect.stringContaining(`Code: ${name}`)})
  expect(stdout).toBe('')
  expect(stderr).toContain('Try this:')
  expect(stderr).not.toMatch(/^\s+at .*:\d+|Traceback/m)
}

/** A program that stands where a Python should be. */
async function program(name: string, text: string): Promise<string> {
  const path = join(journey.folder, name)
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

describe('a Python', () => {
  it.each([
    ['echo "libssl.so.3: cannot open" >&2; exit 127', 'does not start (libssl.so.3: cannot open)'],
    ['echo hello', 'is no Python: it gives no sensible answer'],
    [undefined, 'is not there, or may not be started'],
  ])('that is broken (%j) is named with what is wrong with it', async (text, problem) => {
    const path = text === undefined ? join(journey.folder, 'none') : await program('python-x', text)
    const setup = await journey.mlv('setup', '--yes', '--setting', `python.path=${path}`)
    isOneSentence(setup, 1, 'MLV_PYTHON_BROKEN')
    expect(setup.stderr).toContain(`python.path of the profile: ${path} ${problem}.`)
  })
})

describe('two setups at once', () => {
  it('are one setup and a refusal that names who holds the lock', async () => {
    const real = spawnSync('sh', ['-c', 'command -v python3.11 || command -v python3'], {
      encoding: 'utf8',
    }).stdout.trim()
    const slow = await program('python-slow', `while [ ! -e go ]; do sleep 0.05; done\nexec ${real} "$@"`)
    const first = journey.start('setup', '--only', '01', '--yes', '--setting', `python.path=${slow}`)
    const end = ended(first)
    await until('its journal', () => spawnSync('test', ['-s', join(journey.stateDir, 'journal.jsonl')]).status === 0)
    const second = await journey.mlv('setup', '--yes')
    isOneSentence(second, 13, 'MLV_LOCKED')
    expect(second.stderr).toContain(`(pid ${first.pid} of `)
    first.kill('SIGINT')
    expect((await end).code).toBe(130)
  })
})

describe('wrong words', () => {
  it.each([
    [['train', 'digits', '--model', 'resnet19'], 'MLV_PARAMETER_VALUE', 'Did you mean "resnet18"?'],
    [['train', 'digits', '--set', 'epocs=3'], 'MLV_PARAMETER_UNKNOWN', 'Did you mean "epochs"?'],
    [['train', 'digits', '--epochs', 'abc'], 'MLV_PARAMETER_VALUE', 'a whole number from 1 to 100000'],
    [['train', 'digits', '--gpus', 'x'], 'MLV_USAGE', '--gpus is "x"; it takes a whole number.\n'],
    [['jobs', 'logs', '--tail', '-3'], 'MLV_USAGE', '--tail is "-3"; it takes a whole number of at least 0.\n'],
    [['tune', '--max-time', 'soon'], 'MLV_SWEEP_DURATION', 'Error: --max-time is "soon"; it takes a time such as 90s'],
    [['tune', '--algorithm', 'cma'], 'MLV_USAGE', '--algorithm is "cma"; it takes one of: grid, random, tpe.'],
    [['train', 'digit'], 'MLV_TEMPLATE_UNKNOWN', 'Did you mean "digits"?'],
    [['setup', '--only', '08'], 'MLV_USAGE_PHASE', '08-airflow is not a phase'],
    [['setup', '--form', '03'], 'MLV_USAGE', 'Did you mean "--from"?'],
    [['init'], 'MLV_USAGE_NO_TERMINAL', 'there is no terminal'],
  ])('%j are answered with what was meant and a command to paste', async (argv, code, words) => {
    const answer = await journey.mlv(...argv)
    isOneSentence(answer, 2, code)
    expect(answer.stderr).toContain(words)
    expect(answer.stderr).toContain(`Try this:\n  ${bin} `)
  })

  it('in mlv.yaml are shown in their line, with the command that opens it there', async () => {
    await writeFile(join(journey.folder, 'mlv.yaml'), 'profiles:\n  local:\n    target: local\n    mlflw: {}\n')
    const answer = await journey.mlv('status')
    isOneSentence(answer, 2, 'MLV_SETTINGS_KEY')
    expect(answer.stderr).toContain('mlv.yaml, line 4, column 5: Unknown key "mlflw" in profiles.local.')
    expect(answer.stderr).toMatch(/^ {2}\$\{EDITOR:-vi\} \+4 mlv\.yaml$/m)
  })
})

describe('whoever reads the output', () => {
  it('gets pure JSON under --json, the warnings beside it', async () => {
    await writeFile(join(journey.folder, 'mlv.yml'), 'profiles: {}\n')
    const {code, stderr, stdout} = await journey.mlv('status', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({profile: 'local', ready: false})
    expect(stderr).toContain('Warning: mlv.yml is not read')
  })

  it.each([
    [['--help'], 'stdout'],
    [['explain'], 'stdout'],
    [['status', '--json'], 'stdout'],
    [['status'], 'stderr'],
  ] as const)('of %j may leave early by closing %s', async (argv, stream) => {
    await writeFile(join(journey.folder, 'mlv.yml'), 'profiles: {}\n')
    const child = journey.start(...argv)
    child[stream]?.destroy()
    const {code, stderr} = await ended(child)
    expect({code, stderr}).toMatchObject({code: 0, stderr: expect.not.stringContaining('EPIPE')})
  })
})

describe('a place that is unusual', () => {
  it.each([
    ['without a HOME', {HOME: undefined}],
    ['with a HOME that cannot be', {HOME: '/proc/1/nowhere'}],
    ['with a TMPDIR that is not there', {TMPDIR: '/dev/null/nowhere'}],
    ['in a language that is not installed', {LANG: 'xx_XX.UTF-8', LC_ALL: 'tr_TR.UTF-8'}],
  ])('%s, mlv looks and plans as ever', async (_, variables) => {
    const environment = {...journey.environment, ...variables}
    for (const argv of [['status'], ['setup', '--dry-run']]) {
      const child = spawn(node, [bin, ...argv], {cwd: journey.folder, env: environment})
      expect(await ended(child)).toMatchObject({code: 0, stderr: ''})
    }
  })
})

it('a folder with spaces is quoted in what a dry run says it would run', async () => {
  const {stdout} = await journey.mlv('setup', '--dry-run')
  expect(stdout).toContain(` mkdir -m 700 '${journey.stateDir}/credentials' `)
  expect(stdout).toContain(` --artifacts-destination '${journey.stateDir}/data/artifacts' `)
})

// A mount in a name space of its own: gone with the last process in it, seen by nobody else.
const mounts = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

describe.skipIf(!mounts)('a disk', () => {
  /** Runs a script whose folder is a small disk; `mlv` in it is ours. */
  async function onSmallDisk(size: string, script: string): Promise<Ended> {
    const mount = join(journey.folder, 'small')
    await mkdir(mount)
    const lines = [
      `mount -t tmpfs -o size=${size},mode=700 tmpfs '${mount}' && cd '${mount}' || exit 99`,
      `mlv() { '${node}' '${bin}' "$@"; }`,
      script,
    ]
    return ended(spawn('unshare', ['-m', 'bash', '-c', lines.join('\n')], {env: journey.environment}))
  }

  it('that is full is named, and once there is room setup finishes with every secret out of git', async () => {
    const {code, stderr, stdout} = await onSmallDisk(
      '600k',
      `head -c 1m /dev/zero > filler 2>/dev/null
       mlv setup --yes; echo "at once: $?"
       mlv init --yes; mlv support dump; ls *.yaml *.txt 2>/dev/null
       rm filler
       mlv setup --only 01 -q --yes >/dev/null && mlv setup --only 02 -q --yes >/dev/null || exit 98
       echo "git: $(cat .mlv/.gitignore)"
       mlv setup --only 03 --yes; echo "in MLflow: $?"
       mount -o remount,size=60m .
       mlv setup --only 03 -q --yes >/dev/null; echo "with room: $?"
       mlv teardown -q >/dev/null`,
    )
    expect(stdout.split('\n')).toEqual(['at once: 1', 'git: *', 'in MLflow: 1', 'with room: 0', ''])
    expect(code).toBe(0)
    expect(stderr.match(/Code: MLV_DISK_FULL/g)).toHaveLength(4)
    expect(stderr.match(/Try this:\n {2}df -h /g)).toHaveLength(4)
    expect(stderr).not.toMatch(/^\s+at .*:\d+|Traceback|Code: (?!MLV_DISK_FULL)/m)
  })

  it('that can only be read is named by every command that writes, and the others work', async () => {
    const {stderr, stdout} = await onSmallDisk(
      '1m',
      `mount -o remount,ro .
       for command in "setup --yes" "init --yes" "templates eject digits" "support dump"; do mlv $command; echo $?; done
       mlv status >/dev/null; echo "status: $?"`,
    )
    expect(stdout.split('\n')).toEqual(['1', '1', '1', '1', 'status: 0', ''])
    expect(stderr.match(/cannot be written \(EROFS\)\.\n\nTry this:\n {2}ls -ld /g)).toHaveLength(4)
    expect(stderr.match(/Code: MLV_FOLDER_READ_ONLY/g)).toHaveLength(4)
  })
})

describe.skipIf(process.getuid?.() !== 0)('a user without a name', () => {
  it('is told which folder is not theirs, and looks at their own', async () => {
    const as = (folder: string, ...argv: string[]) =>
      ended(spawn(node, [bin, ...argv], {cwd: folder, env: nameless, uid: 54321, gid: 54321}))
    const {SHELL: _, ...nameless} = journey.environment
    await chmod(join(journey.folder, '..'), 0o755)
    await chmod(journey.folder, 0o755)
    isOneSentence(await as(journey.folder, 'init', '--yes'), 1, 'MLV_FOLDER_READ_ONLY')
    await chmod(journey.folder, 0o777)
    expect(await as(journey.folder, 'init', '--yes')).toMatchObject({code: 0})
    expect(await readFile(join(journey.folder, 'mlv.yaml'), 'utf8')).toContain('target: local')
    expect(await as(journey.folder, 'status')).toMatchObject({code: 0})
  })
})
