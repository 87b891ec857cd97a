import {spawnSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** The rows of a script in python/bench, which says itself how each figure is taken. */
function rowsOf({root}, python, script, args = []) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const file = join(folder, 'report.json')
  try {
    const {status} = spawnSync(python, [join('python/bench', script), ...args, '--json', file], {
      cwd: root,
      env: {...process.env, PYTHONPATH: 'python/src'},
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (status !== 0) throw new Error(`python/bench/${script} ended with ${status}`)
    return JSON.parse(readFileSync(file, 'utf8')).rows
  } finally {
    rmSync(folder, {force: true, recursive: true})
  }
}

export const trainingLoop = workshop => rowsOf(workshop, workshop.developmentPython(), 'loop.py')

/** A part of what sweeps cost, on services of its own. */
export const sweeps = (part, repeats) => workshop =>
  rowsOf(workshop, workshop.developmentPython(), 'sweeps.py', [part, '--repeats', String(repeats)])

/** In a project whose platform runs: one side of it is `mlv ddp` itself. */
export async function severalProcesses(workshop) {
  const {environment, project, python} = await workshop.platform()
  const settings = Object.entries(environment).filter(([name]) => name.startsWith('MLV_') || name === 'HOME')
  const mlv = ['--mlv', 'env', ...settings.map(([name, value]) => `${name}=${value}`), workshop.node, workshop.bin]
  return rowsOf(workshop, python, 'ddp.py', [...mlv, '--project', project])
}
