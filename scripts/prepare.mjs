// Installs and builds only what is missing or out of date, so that a second `npm run …` starts at once.
// Runs on any Node that npm runs on: it is what brings the newer one.
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'node_modules/.mlv-installed')
const built = join(root, 'dist/.built')

/** Runs a program in the checkout and ends this script with its status when it fails. */
function run(title, file, args) {
  process.stderr.write(`… ${title}\n`)
  const began = Date.now()
  const {status, error} = spawnSync(file, args, {cwd: root, stdio: ['ignore', 'inherit', 'inherit']})
  if (status !== 0) {
    process.stderr.write(`✖ ${title} failed${error ? `: ${error.message}` : ` with exit code ${status}`}\n`)
    process.exit(status ?? 1)
  }
  process.stderr.write(`✔ ${title} (${((Date.now() - began) / 1000).toFixed(1)} s)\n`)
}

function lockDigest() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.arch)
    .digest('hex')
}

function newestSource() {
  const files = ['src', 'scripts'].flatMap(folder =>
    readdirSync(join(root, folder), {recursive: true}).map(name => join(root, folder, String(name))),
  )
  return Math.max(...[...files, join(root, 'package.json')].map(file => statSync(file).mtimeMs))
}

const node = join(root, 'node_modules/node/bin/node')
if (!existsSync(stamp) || !existsSync(node) || readFileSync(stamp, 'utf8') !== lockDigest()) {
  run('Installing the packages of package-lock.json', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(stamp, lockDigest())
}
if (!existsSync(built) || statSync(built).mtimeMs < newestSource()) {
  mkdirSync(join(root, 'dist'), {recursive: true})
  run('Building mlv', node, ['scripts/build.mjs'])
  writeFileSync(built, '')
}
