#!/usr/bin/env node
import {readFileSync} from 'node:fs'
import * as nodeModule from 'node:module'

const packageJson = new URL('../package.json', import.meta.url)
const argv = process.argv.slice(2)
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`mlv ${JSON.parse(readFileSync(packageJson, 'utf8')).version}\n`)
} else if (major < 22 || (major === 22 && minor < 22)) {
  const {restart} = await import('./restart.js')
  await restart(argv)
} else {
  nodeModule.enableCompileCache?.()
  const {main} = await import('../dist/lib/cli/main.js')
  await main(argv, import.meta.url)
}
