import {existsSync, readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {describe, expect, it} from 'vitest'

// A script without types; it is the one that `npm run generate` runs.
// @ts-expect-error
import {generatedFiles} from '../scripts/generated.mjs'

const root = new URL('../', import.meta.url)
const loadSource = (module: string) => import(new URL(`src/${module.replace(/\.js$/, '.ts')}`, root).href)
const files = (await generatedFiles(loadSource)) as [path: string, text: string][]

describe('what `npm run generate` writes', () => {
  it('is something', () => {
    expect(files.length).toBeGreaterThan(1)
  })

  it.each(files)('%s is as the code says', (path, text) => {
    const file = fileURLToPath(new URL(path, root))
    expect(existsSync(file) && readFileSync(file, 'utf8')).toBe(text)
  })
})
