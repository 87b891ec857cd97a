// checkov, which scans what the charts render, in an environment of its own: its pins would not fit the jobs'.
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {findPython, findUv} from './development-python.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = join(root, 'python/requirements-checkov.lock')

function run(argv) {
  const {error, status} = spawnSync(argv[0], argv.slice(1), {stdio: ['ignore', 'inherit', 'inherit']})
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${error?.message ?? status}`)
}

/** The argument list that starts checkov; takes half a minute the first time. */
export function checkov() {
  const digest = createHash('sha256').update(readFileSync(lock)).digest('hex').slice(0, 12)
  const folder = join(root, `build/checkov-${digest}`)
  const python = join(folder, 'bin/python')
  const marker = join(folder, '.complete')
  if (!existsSync(marker)) {
    rmSync(folder, {force: true, recursive: true})
    const base = findPython()
    const uv = findUv(base)
    console.log('… Making the environment for checkov')
    run([uv, 'venv', '--quiet', '--python', base, folder])
    run([uv, 'pip', 'install', '--quiet', '--require-hashes', '--python', python, '-r', lock])
    writeFileSync(marker, '')
  }
  return [python, '-m', 'checkov.main']
}
