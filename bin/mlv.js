#!/usr/bin/env node
import {readFileSync} from 'node:fs'
import * as nodeModule from 'node:module'

const read = name => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
const argv = process.argv.slice(2)
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

// Whoever reads may leave early, as `| head -1` does.
process.stdout.on('error', error => error.code === 'EPIPE' || process.exit(1))
if (argv.length === 1 && /^(--version|-V)$/.test(argv[0])) {
  process.stdout.write(`mlv ${JSON.parse(read('package.json')).version}\n`)
} else if (argv.length === 0 || (argv.length === 1 && /^(--help|-h|help)$/.test(argv[0]))) {
  process.stdout.write(read('dist/root-help.txt'))
} else if (major < 22 || (major === 22 && minor < 22)) {
  await (await import('./restart.js')).restart(argv)
} else {
  nodeModule.enableCompileCache?.()
  await (await import('../dist/bundle/main.js')).main(argv, import.meta.url)
}
