// Compiles src/ to dist/, bundles that to dist/bundle, and writes oclif's manifest, without which every command file
// would be loaded for help.
import {spawnSync} from 'node:child_process'
import {mkdirSync, readdirSync, rmSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const node = join(root, 'node_modules/node/bin/node')

function run(args) {
  const {status} = spawnSync(node, args, {cwd: root, stdio: 'inherit'})
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`)
}

mkdirSync(join(root, 'dist'), {recursive: true})
// A command whose source is gone must not stay in dist, where oclif would find it.
for (const entry of readdirSync(join(root, 'dist'), {recursive: true, withFileTypes: true}).filter(e =>
  e.name.endsWith('.js'),
)) {
  const built = join(entry.parentPath ?? entry.path, entry.name)
  if (built.startsWith(join(root, 'dist/bundle'))) continue
  const source = built.replace(join(root, 'dist'), join(root, 'src')).replace(/\.js$/, '.ts')
  if (!statSync(source, {throwIfNoEntry: false})) rmSync(built)
}
run(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
run(['scripts/bundle.mjs'])
run(['scripts/manifest.mjs'])
