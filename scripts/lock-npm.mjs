// Writes package-lock.json from package.json alone. An installed node_modules would leave the optional packages of
// other platforms out of it (npm/cli 4828), so the lock is made in an empty folder.
import {spawnSync} from 'node:child_process'
import {copyFileSync, mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'mlv-lock-'))
for (const name of ['package.json', '.npmrc']) copyFileSync(join(root, name), join(folder, name))
const {status} = spawnSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], {
  cwd: folder,
  stdio: 'inherit',
})
if (status === 0) copyFileSync(join(folder, 'package-lock.json'), join(root, 'package-lock.json'))
rmSync(folder, {force: true, recursive: true})
process.exitCode = status ?? 1
