import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {chartFolder, chartNames, helm, type Manifest, render, sets, template, valuesOf} from '../_helpers/charts.js'
import {countLines, listFiles, readText} from '../_helpers/source-tree.js'

describe.each(['helm3', 'helm4'] as const)('under %s', name => {
  it('every chart passes a strict lint with each set of values', () => {
    for (const chart of chartNames) {
      const files = valuesOf(chart)
      expect(files.length).toBeGreaterThan(1)
      for (const file of files) {
        const {code, stdout, stderr} = helm(name, ['lint', '--strict', chartFolder(chart), '-f', file])
        expect(code, `${file}\n${stdout}${stderr}`).toBe(0)
      }
    }
  })

  it('renders the same from the same values', () => {
    for (const [chart, values] of sets) expect(render(chart, values, [], name)).toEqual(render(chart, values))
  })
})

describe.each(chartNames)('the values of %s', chart => {
  const read = (file: string) => readFileSync(join(chartFolder(chart), file), 'utf8')
  const schema = JSON.parse(read('values.schema.json'))

  function objectsOf(node: Manifest, path: string): [string, Manifest][] {
    const below = Object.entries(node.properties ?? {}).flatMap(([key, child]) => objectsOf(child, `${path}.${key}`))
    const items = node.items ? objectsOf(node.items, `${path}[]`) : []
    return [...(node.type === 'object' ? [[path, node] as [string, Manifest]] : []), ...below, ...items]
  }

  it('may hold no key that the schema does not know, at any depth', () => {
    const objects = objectsOf(schema, '')
    expect(objects.length).toBeGreaterThan(10)
    const isStrict = ({additionalProperties, properties}: Manifest) =>
      additionalProperties === false || (!properties && additionalProperties.type === 'string')
    expect(objects.filter(([, node]) => !isStrict(node)).map(([path]) => path)).toEqual([])
    const fixed = objects.filter(([path, node]) => node.additionalProperties === false && !path.includes('[]'))
    for (const [path] of fixed) {
      const {code, stderr} = template(chart, sets.find(([name]) => name === chart)![1], [
        `${path.slice(1)}${path && '.'}nonsense=1`,
      ])
      expect(code, path).not.toBe(0)
      expect(stderr).toContain("'nonsense' not allowed")
    }
  })

  it('are each explained', () => {
    const lines = read('values.yaml').split('\n')
    const unexplained = lines.filter((line, at) => {
      const isLeaf = /^ *(- )?[\w.-]+: *\S/.test(line) && !/^\s*#/.test(line)
      return isLeaf && !/^\s*# -- /.test(lines[at - 1] ?? '')
    })
    expect(unexplained).toEqual([])
  })

  it('hold no password and make none', () => {
    expect(JSON.stringify(objectsOf(schema, '').map(([path]) => path))).not.toMatch(/password"/i)
    const templates = listFiles(`charts/${chart}/templates`, '')
    expect(templates.filter(path => /rand(Alpha|Ascii|Num|Bytes)|genPrivateKey|htpasswd/.test(readText(path)))).toEqual(
      [],
    )
    for (const [, values] of sets.filter(([of]) => of === chart))
      expect(render(chart, values).filter(({kind}) => kind === 'Secret')).toEqual([])
  })

  it('has templates that are read in one sitting', () => {
    const long = listFiles(`charts/${chart}/templates`, '').filter(path => countLines(readText(path)) > 150)
    expect(long).toEqual([])
  })

  it('hangs nothing on hooks, which would wait for what waits for them', () => {
    for (const [, values] of sets.filter(([of]) => of === chart))
      expect(template(chart, values).stdout).not.toContain('helm.sh/hook')
  })
})
