import ts from 'typescript'
import {describe, expect, it} from 'vitest'

import {
  countLines,
  listFiles,
  readSources,
  readText,
  type SourceFile,
  type SourceImport,
  walk,
} from './_helpers/source-tree.js'

const sources = readSources('src')
const commands = sources.filter(file => file.path.startsWith('src/commands/'))
const library = sources.filter(file => file.path.startsWith('src/lib/'))
const python = listFiles('python/src', '.py')

/** A part may import what stands on a lower floor. */
const floors: Record<string, number> = {
  commands: 8,
  cli: 7,
  phases: 6,
  verify: 5,
  backup: 5,
  cost: 5,
  jobs: 4,
  targets: 3,
  images: 3,
  templates: 3,
  mlflow: 3,
  ui: 2,
  profile: 2,
  tools: 2,
  aws: 2,
  types: 1,
  ground: 1,
}

const partOf = (path: string): string => {
  if (path.startsWith('src/commands/')) return 'commands'
  const [, , folder = '', rest] = path.split('/')
  return rest === undefined ? 'ground' : folder
}

const breaches = (check: (file: SourceFile) => Iterable<string> | undefined): string[] =>
  sources.flatMap(file => [...(check(file) ?? [])].map(what => `${file.path}: ${what}`))

function forbiddenWords(file: SourceFile): string[] {
  const found: string[] = []
  walk(file.ast, node => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push('says any')
    if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return
    const name = `${node.expression.text}.${node.name.text}`
    if (/^console\./.test(name) || name === 'process.exit') found.push(`calls ${name}`)
    if (name === 'process.env' && file.path !== 'src/lib/profile/env.ts') found.push('reads process.env')
  })
  return found
}

describe('the house', () => {
  it('is read as a whole by these rules', () => {
    expect(commands.length).toBeGreaterThan(5)
    expect(library.length).toBeGreaterThan(25)
    expect(library.flatMap(file => file.imports).length).toBeGreaterThan(60)
    expect(python.length).toBeGreaterThan(8)
  })

  it('has only the parts that the plan names', () => {
    const unknown = library.map(file => partOf(file.path)).filter(part => !(part in floors))
    expect([...new Set(unknown)]).toEqual([])
  })

  it('imports downwards only', () => {
    const isAllowed = (from: string, to: string, {typeOnly}: SourceImport, target: string) => {
      if (from === to) return true
      const [upper = 0, lower = 0] = [floors[from], floors[to]]
      // The ground names what it hands down; names alone do not bind. Neither do types between the rooms of one floor.
      if (typeOnly && (from === 'ground' || from === 'types' || upper === lower)) return true
      if (typeOnly && target === 'src/lib/context.ts') return true
      return lower < upper || (from === 'types' && to === 'ground') || (from === 'ground' && to === 'types')
    }
    expect(
      breaches(function* (file) {
        for (const imported of file.imports) {
          if (!imported.file?.startsWith('src/')) continue
          const [from, to] = [partOf(file.path), partOf(imported.file)]
          if (!isAllowed(from, to, imported, imported.file)) yield `${from} must not import ${imported.file}`
        }
      }),
    ).toEqual([])
  })

  it('gives commands nothing to do but parse and call', () => {
    const forbidden = /^(node:(fs|child_process|net|http)|execa|chalk|listr2)|lib\/(targets|tools|aws|ui|mlflow)\//
    expect(
      breaches(function* (file) {
        if (!file.path.startsWith('src/commands/')) return
        for (const {file: path, specifier, typeOnly} of file.imports) {
          if (!typeOnly && forbidden.test(path ?? specifier)) yield `a command must not import ${path ?? specifier}`
        }
      }),
    ).toEqual([])
  })

  it('lets one place import what is heavy or dangerous', () => {
    const only: [RegExp, RegExp][] = [
      [/^execa$/, /^src\/lib\/tools\/exec\.ts$/],
      [/^@aws-sdk\//, /^src\/lib\/aws\//],
      [/^(listr2|chalk)$/, /^src\/lib\/ui\//],
      [/^(@inquirer\/|inquirer$)/, /^src\/lib\/ui\/prompts\.ts$/],
      [/^dotenv$/, /^src\/lib\/profile\/env\.ts$/],
      [/^@oclif\//, /^src\/(commands|lib\/cli)\//],
    ]
    expect(
      breaches(function* (file) {
        for (const {specifier} of file.imports) {
          for (const [packages, places] of only) {
            if (packages.test(specifier) && !places.test(file.path)) yield `imports ${specifier}`
          }
        }
      }),
    ).toEqual([])
  })

  it('never prints, exits, reads the environment or hides state on its own', () => {
    expect(
      breaches(function* (file) {
        const calls = forbiddenWords(file)
        for (const statement of file.ast.statements) {
          if (ts.isVariableStatement(statement) && !(statement.declarationList.flags & ts.NodeFlags.Const)) {
            calls.push('keeps mutable state in the module')
          }
          if (ts.isExportAssignment(statement) && !file.path.startsWith('src/commands/'))
            calls.push('exports a default')
        }
        yield* calls
      }),
    ).toEqual([])
  })

  it('has no drawers and no barrels', () => {
    const names = sources
      .map(file => file.path)
      .filter(path => /(^|\/)(utils?|helpers?|common|misc)(\/|\.ts)|\/index\.ts$/.test(path))
    expect(names.filter(path => !path.startsWith('src/commands/'))).toEqual([])
  })

  it('keeps files small', () => {
    const limits: [string[], number][] = [
      [commands.map(file => file.path), 80],
      [library.map(file => file.path), 250],
      [listFiles('test', '.ts'), 300],
      [python, 250],
      [listFiles('python/tests', '.py'), 300],
      [['python/src/mlvision/loop.py'], 120],
      [['bin/mlv.js'], 22],
    ]
    const tooLong = limits.flatMap(([paths, limit]) =>
      paths.map(path => ({limit, lines: countLines(readText(path)), path})).filter(file => file.lines > file.limit),
    )
    expect(tooLong).toEqual([])
  })
})

describe('the Python side', () => {
  const importsOf = (path: string) =>
    [...readText(path).matchAll(/^\s*(?:from\s+([\w.]+)\s+import|import\s+([\w.]+))/gm)].map(
      match => match[1] ?? match[2] ?? '',
    )

  it('keeps MLflow and Ray out of the loop', () => {
    expect(importsOf('python/src/mlvision/loop.py').filter(name => /^(mlflow|ray)\b/.test(name))).toEqual([])
  })

  it('imports Ray in entries only', () => {
    const elsewhere = python
      .filter(path => !path.includes('/entry/'))
      .filter(path => importsOf(path).some(name => /^ray\b/.test(name)))
    expect(elsewhere).toEqual([])
  })
})
