import {readdirSync, readFileSync} from 'node:fs'
import {dirname, join, relative} from 'node:path'
import ts from 'typescript'

export interface SourceImport {
  readonly specifier: string
  /** Relative to the repository, with `.ts`; absent for packages. */
  readonly file: string | undefined
  readonly typeOnly: boolean
}

export interface SourceFile {
  /** Relative to the repository. */
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly imports: readonly SourceImport[]
  readonly ast: ts.SourceFile
}

export const root = join(import.meta.dirname, '../..')

/** Lists files below a folder of the repository, relative to it. */
export function listFiles(folder: string, suffix: string): string[] {
  return readdirSync(join(root, folder), {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile() && entry.name.endsWith(suffix))
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
    .filter(path => !/(^|\/)(node_modules|\.venv|__pycache__|build)\//.test(path))
    .sort()
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export function countLines(text: string): number {
  return text.trimEnd().split('\n').length
}

/** Reads TypeScript sources with the compiler's own parser, so that a rule never rests on a pattern over text. */
export function readSources(folder: string): SourceFile[] {
  return listFiles(folder, '.ts').map(path => {
    const text = readText(path)
    const ast = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
    return {ast, imports: importsOf(ast, path), lines: countLines(text), path, text}
  })
}

function importsOf(ast: ts.SourceFile, path: string): SourceImport[] {
  const found: SourceImport[] = []
  const add = (node: ts.Expression | undefined, typeOnly: boolean) => {
    if (!node || !ts.isStringLiteral(node)) return
    const specifier = node.text
    const file = specifier.startsWith('.') ? join(dirname(path), specifier).replace(/\.js$/, '.ts') : undefined
    found.push({file, specifier, typeOnly})
  }
  walk(ast, node => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause))
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
  })
  return found
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const bindings = clause.namedBindings
  return !clause.name && !!bindings && ts.isNamedImports(bindings) && bindings.elements.every(e => e.isTypeOnly)
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, child => walk(child, visit))
}
