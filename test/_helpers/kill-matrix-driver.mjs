// A small platform on the real engine: each step runs a real program that writes a real file. The built code is used,
// so that signals meet a process of its own. With HOLD=<phase>/<step> that program says that it is there and waits.
import {readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

const dist = new URL('../../dist/lib/', import.meta.url)
const load = path => import(new URL(path, dist).href)
const [
  {setUp},
  {tearDown},
  {localState},
  {createExec},
  {listenForInterrupts},
  {formatError, toMlvError},
  {createPlainReporter},
  ui,
] = await Promise.all(
  [
    'phases/setup.js',
    'phases/teardown.js',
    'targets/local/state.js',
    'tools/exec.js',
    'cli/interrupt.js',
    'cli/print-error.js',
    'ui/plain-reporter.js',
    'ui/terminal-reporter.js',
  ].map(load),
)

const projectDir = process.cwd()
const stateDir = join(projectDir, '.mlv', 'test')
const {signal, dispose} = listenForInterrupts(process.stderr)
const streams = {stdout: process.stdout, stderr: process.stderr}
const reporter = ui.isLiveTerminal(process.env, process.stderr)
  ? ui.createTerminalReporter(process.env, streams)
  : createPlainReporter(streams)
const context = {
  profile: {name: 'test', settings: {target: 'local'}},
  projectDir,
  stateDir,
  cwd: projectDir,
  version: '0.0.0',
  environment: process.env,
  user: 'tester',
  exec: createExec({environment: process.env, signal, dryRun: false, print: reporter.note}),
  reporter,
  signal,
  dryRun: false,
  command: line => `npx mlv ${line}`,
}

// Writes the file half, says so, waits where it is told to, then puts the whole in its place.
const program = `
const {writeFileSync, renameSync, existsSync} = require('node:fs')
const [file, text, hold] = process.argv.slice(1)
writeFileSync(file + '.half', text.slice(0, 3))
if (hold === 'hold') {
  // A program that does not care about one Ctrl-C, as many do not.
  if (process.env.STUBBORN) process.on('SIGINT', () => writeFileSync(file + '.asked', ''))
  writeFileSync(file + '.held', String(process.pid))
  setInterval(() => {}, 1000)
} else {
  writeFileSync(file + '.half', text)
  renameSync(file + '.half', file)
}`

const exists = path =>
  stat(path).then(
    () => true,
    () => false,
  )
const steps = ['first', 'middle', 'last']

function phase(id, needs) {
  const file = step => join(projectDir, 'platform', `${id}.${step}`)
  return {
    id,
    needs,
    summary: `Build ${id}`,
    async status() {
      const there = await Promise.all(steps.map(step => exists(file(step))))
      if (there.every(Boolean)) return {kind: 'ready', detail: (await readFile(file('last'), 'utf8')).trim()}
      return there.some(Boolean) ? {kind: 'drifted', why: 'it is half built'} : {kind: 'absent'}
    },
    apply: async given =>
      steps.map(step => ({
        id: step,
        title: `Building the ${step} part`,
        run: async () => {
          const hold = process.env.HOLD === `${id}/${step}` ? 'hold' : ''
          const pace = Number(process.env.PACE ?? 0)
          if (pace > 0) await new Promise(resolve => setTimeout(resolve, pace))
          await given.exec.write([process.execPath, '-e', program, file(step), `${id} ${step}\n`, hold])
        },
      })),
    destroy: async given =>
      [...steps].reverse().map(step => ({
        id: step,
        title: `Removing the ${step} part`,
        run: () =>
          given.exec.write([process.execPath, '-e', 'require("fs").rmSync(process.argv[1],{force:true})', file(step)]),
      })),
    kept: async (_context, {deleteData}) =>
      deleteData ? [] : [{what: `Notes of ${id}`, where: file('last'), bytes: 10, monthlyPrice: 0}],
  }
}

const plan = [
  phase('01-prepare', []),
  phase('02-cluster', ['01-prepare']),
  phase('03-mlflow', ['02-cluster']),
  phase('07-ray', ['02-cluster']),
]
const nothing = {
  name: 'test',
  phases: plan,
  state: localState,
  connect: () => ({
    mlflow: async () => ({url: 'http://127.0.0.1:1', username: '', password: ''}),
    ray: async () => ({url: 'http://127.0.0.1:2', token: '', python: ''}),
    close: async () => undefined,
  }),
}

try {
  const options = {context, target: nothing, plan, only: process.env.ONLY, from: process.env.FROM}
  const result = process.argv[2] === 'teardown' ? await tearDown({...options, deleteData: false}) : await setUp(options)
  await writeFile(join(projectDir, 'result.json'), JSON.stringify(result))
} catch (thrown) {
  const error = toMlvError(thrown, line => `mlv ${line}`)
  process.exitCode = error.exitCode
  process.stderr.write(formatError(error))
} finally {
  dispose()
}
