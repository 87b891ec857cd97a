import {spawnSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** mlvision's loop; python/bench/loop.py says how each figure is taken. */
export async function trainingLoop(workshop) {
  const python = workshop.developmentPython()
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const file = join(folder, 'report.json')
  try {
    const {status} = spawnSync(python, ['python/bench/loop.py', '--json', file], {
      cwd: workshop.root,
      env: {...process.env, PYTHONPATH: 'python/src'},
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (status !== 0) throw new Error(`python/bench/loop.py ended with ${status}`)
    return JSON.parse(readFileSync(file, 'utf8')).rows
  } finally {
    rmSync(folder, {force: true, recursive: true})
  }
}
