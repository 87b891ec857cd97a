// Everything that must hold before a change lands, in the order in which it fails fastest. Prints as its last line
// "N passed, N failed, N skipped" over all suites: each linter counts as one, each test as itself.
//
//   npm run ci                   everything
//   npm run ci -- unit pytest    only checks whose name starts with one of these words
import {spawnSync} from 'node:child_process'
import {existsSync, mkdirSync, readFileSync, rmSync} from 'node:fs'
import {delimiter, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {developmentPython} from './development-python.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const reports = join(root, 'build/reports')
const bin = join(root, 'node_modules/.bin')
const environment = {...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, npm_config_loglevel: 'error'}
const wanted = process.argv.slice(2)
const total = {failed: 0, passed: 0, skipped: 0}
const failures = []

rmSync(reports, {force: true, recursive: true})
mkdirSync(reports, {recursive: true})

function run(argv, options = {}) {
  const {status} = spawnSync(argv[0], argv.slice(1), {
    cwd: root,
    env: {...environment, ...options.env},
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return status === 0
}

/** Runs one check and adds what it counted; a check that counts nothing itself is one. */
function check(name, argv, {count = counted => counted, env} = {}) {
  if (wanted.length > 0 && !wanted.some(word => name.startsWith(word))) return
  console.log(`\n── ${name}: ${argv.map(part => part.replace(root, '')).join(' ')}`)
  const began = Date.now()
  const good = run(argv, {env})
  const counted = count({failed: good ? 0 : 1, passed: good ? 1 : 0, skipped: 0}, good)
  for (const key of Object.keys(total)) total[key] += counted[key]
  if (!good || counted.failed > 0) failures.push(name)
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  console.log(
    `── ${name}: ${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped (${seconds} s)`,
  )
}

/** Counts of a JUnit report. A run that ended badly without one, or found no test, is one failure. */
function junit(file) {
  return (fallback, good) => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const sum = name =>
      [...text.matchAll(/<testsuite\s[^>]*>/g)].reduce(
        (n, [tag]) => n + Number(tag.match(`\\s${name}="(\\d+)"`)?.[1] ?? 0),
        0,
      )
    const [tests, skipped, failed] = [sum('tests'), sum('skipped'), sum('failures') + sum('errors')]
    if (tests === 0) return {...fallback, failed: 1, passed: 0}
    return {failed: failed === 0 && !good ? 1 : failed, passed: tests - skipped - failed, skipped}
  }
}

function vitest(project) {
  const file = join(reports, `${project}.xml`)
  check(
    project,
    ['vitest', 'run', '--project', project, '--reporter=default', '--reporter=junit', `--outputFile.junit=${file}`],
    {
      count: junit(file),
    },
  )
}

check('format and lint', ['biome', 'ci'])
check('types', ['tsc', '-p', 'tsconfig.test.json'])
check('dead code', ['knip', '--no-progress'])
check('generated files', ['node', 'scripts/generate.mjs', '--check'])
vitest('unit')

const isPythonWanted = wanted.length === 0 || wanted.some(word => /^(ruff|pyright|pytest)/.test(word))
const python = isPythonWanted ? developmentPython() : undefined
if (python) {
  const report = join(reports, 'pytest.xml')
  check('ruff format', [python, '-m', 'ruff', 'format', '--check', 'python'])
  check('ruff', [python, '-m', 'ruff', 'check', 'python'])
  check('pyright', [python, '-m', 'pyright', '-p', 'python', '--pythonpath', python])
  check('pytest', [python, '-m', 'pytest', 'python', '-q', `--junitxml=${report}`], {
    count: junit(report),
    env: {PYTHONPATH: join(root, 'python/src')},
  })
}
vitest('integration')
vitest('e2e')

if (failures.length > 0) console.log(`\nFailed: ${failures.join(', ')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = failures.length > 0 ? 1 : 0
