import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {listFiles, readText, root} from './_helpers/source-tree.js'

const pins = (lock: string) =>
  new Map([...readText(lock).matchAll(/^([\w.-]+)==([\w.+!-]+)/gm)].map(([, name = '', version]) => [name, version]))

describe("the server's lock", () => {
  it('has the versions of the local environment, each with its digests', () => {
    const [local, server] = [pins('python/requirements.lock'), pins('python/requirements-mlflow.lock')]
    expect([...server].filter(([name, version]) => local.get(name) !== version)).toEqual([])
    for (const name of ['mlflow', 'flask-wtf', 'psycopg2-binary', 'boto3']) expect([...server.keys()]).toContain(name)
    expect([...server.keys()]).not.toContain('ray')
    const entries = readText('python/requirements-mlflow.lock').split(/^(?=[\w.-]+==)/m)
    expect(entries.filter(entry => !entry.includes('--hash=sha256:'))).toEqual([])
  })
})

describe.each(listFiles('docker', '.Dockerfile'))('%s', path => {
  const text = readText(path)
  const copied = [...text.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '))

  it('copies only what is in the checkout, in the package and let through to the build', () => {
    const shipped = JSON.parse(readText('package.json')).files
    const admitted = readText('.dockerignore').split('\n')
    expect(copied.length).toBeGreaterThan(0)
    for (const file of copied) {
      expect(existsSync(join(root, file)), file).toBe(true)
      expect(shipped).toContain(file)
      expect(admitted).toContain(`!${file}`)
    }
  })

  it('builds apart from what runs, with digests, and runs as nobody', () => {
    expect(text.match(/^FROM /gm)).toHaveLength(2)
    expect(text).toContain('--require-hashes')
    const [, last = ''] = text.split(/^FROM (?!.* AS )/m)
    expect(/^USER (\d+):/m.exec(last)?.[1]).toBe('10001')
  })
})
