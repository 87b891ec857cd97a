import {execFileSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {node} from '../_helpers/journey.js'
import {root} from '../_helpers/source-tree.js'

const folder = mkdtempSync(join(tmpdir(), 'mlv package '))
const mlv = (...argv: string[]) =>
  execFileSync(node, [join(folder, 'package/bin/mlv.js'), ...argv], {
    cwd: folder,
    encoding: 'utf8',
    env: {HOME: folder, PATH: '/usr/bin:/bin'},
  })

beforeAll(() => {
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {cwd: root})
  execFileSync('tar', ['xzf', `mlv-${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}.tgz`], {
    cwd: folder,
  })
})

afterAll(() => rmSync(folder, {force: true, recursive: true}))

// There is no node_modules beside it, nor above.
describe('the package that is published', () => {
  it('needs no other package', () => {
    expect(mlv('--help')).toContain('quickstart')
    expect(mlv('train', '--help')).toContain('--idempotency-key')
    expect(JSON.parse(mlv('templates', 'list', '--json')).templates.length).toBeGreaterThan(4)
    expect(JSON.parse(mlv('init', '--yes', '--json')).file).toContain('mlv.yaml')
    expect(JSON.parse(mlv('config', 'show', '--json')).profile).toBeDefined()
    expect(JSON.parse(mlv('setup', '--dry-run', '--yes', '--json'))).toBeDefined()
  })

  it('brings the licence of everything that is bundled', () => {
    const licences = readFileSync(join(folder, 'package/dist/bundle/LICENSES.txt'), 'utf8')
    for (const name of ['@oclif/core', 'zod', 'yaml', 'execa', 'chalk', 'log-update', 'ignore', 'fflate'])
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC)\\)$`, 'm'))
    expect(licences).not.toMatch(/\(undefined\)/)
  })
})
