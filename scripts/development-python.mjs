// The interpreter that the Python checks run with: the jobs' own locked packages and, on top, the developers' tools.
// Made once per lock in build/, by a uv that is put beside it when there is none on PATH.
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build')

function run(argv) {
  const {error, status} = spawnSync(argv[0], argv.slice(1), {cwd: root, stdio: ['ignore', 'inherit', 'inherit']})
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${error?.message ?? status}`)
}

export function findPython() {
  const isFit = name =>
    spawnSync(name, ['-c', 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))']).status === 0
  const found = ['python3.11', 'python3.12', 'python3.10', 'python3.13', 'python3'].find(isFit)
  if (!found) throw new Error('Python 3.10 to 3.13 is needed; none is on PATH.')
  return found
}

export function findUv(python) {
  if (spawnSync('uv', ['--version']).status === 0) return 'uv'
  const folder = join(build, 'uv')
  if (!existsSync(join(folder, 'bin/uv'))) {
    console.log('… Installing uv')
    run([python, '-m', 'venv', folder])
    run([join(folder, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'uv'])
  }
  return join(folder, 'bin/uv')
}

/** Returns the path of an interpreter that has everything; takes a minute or two the first time. */
export function developmentPython() {
  const locks = ['requirements.lock', 'requirements-dev.lock', 'requirements-lightning.lock', 'torch-versions.json']
  const digest = createHash('sha256')
  for (const lock of locks) digest.update(readFileSync(join(root, 'python', lock)))
  const folder = join(build, `python-${digest.digest('hex').slice(0, 12)}`)
  const python = join(folder, 'bin/python')
  const marker = join(folder, '.complete')
  if (existsSync(marker)) return python
  rmSync(folder, {force: true, recursive: true})
  const base = findPython()
  const uv = findUv(base)
  const torch = JSON.parse(readFileSync(join(root, 'python/torch-versions.json'), 'utf8'))
  console.log('… Making the development environment for Python')
  const install = args => run([uv, 'pip', 'install', '--quiet', '--python', python, ...args])
  run([uv, 'venv', '--quiet', '--python', base, folder])
  install(['--require-hashes', '-r', 'python/requirements.lock'])
  install(Object.entries(torch).map(([name, version]) => `${name}==${version}`))
  install(['--require-hashes', '-r', 'python/requirements-dev.lock'])
  install(['--no-deps', '--require-hashes', '-r', 'python/requirements-lightning.lock'])
  writeFileSync(marker, '')
  return python
}
