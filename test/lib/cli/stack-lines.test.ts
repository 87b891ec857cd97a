import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {expect, it} from 'vitest'

import {stackLines} from '../../../src/lib/cli/stack-lines.js'
import {root} from '../../_helpers/source-tree.js'

it('names the line of src/ for a place in the bundle, so that a report of a bug is worth something', () => {
  const file = join(root, 'dist/bundle/commands/verify.js')
  const lines = readFileSync(file, 'utf8').split('\n')
  const row = lines.findIndex(line => line.includes('await verify(')) + 1
  expect(row).toBeGreaterThan(0)
  const at = `    at async Verify.run (${pathToFileURL(file)}:${row}:${(lines[row - 1]?.indexOf('verify(') ?? 0) + 1})`
  const [mapped = ''] = stackLines({stack: `Error: no\n${at}`})
  const [, line] = /src\/commands\/verify\.ts:(\d+):\d+\)$/.exec(mapped) ?? []
  expect(mapped).toContain('    at async Verify.run (src/commands/verify.ts:')
  const source = readFileSync(join(root, 'src/commands/verify.ts'), 'utf8').split('\n')
  expect(source[Number(line) - 1]).toContain('await verify(')
})

it('leaves alone what is not of the bundle', () => {
  const stack = 'Error: no\n    at node:fs:1:2\n    at new Promise (<anonymous>)\n    at x (file:///nowhere/a.js:1:2)'
  expect(stackLines({stack})).toEqual(stack.split('\n').slice(1))
  expect(stackLines(undefined)).toEqual([])
})
