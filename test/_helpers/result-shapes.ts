import {join} from 'node:path'
import ts from 'typescript'

import {listFiles, root} from './source-tree.js'

/** Draws, for each command, the type that `run()` returns: the contract of `--json`. */
export function resultShapes(): string {
  const files = listFiles('src/commands', '.ts').map(path => join(root, path))
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const {options} = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram(files, {...options, incremental: false, noEmit: true})
  const checker = program.getTypeChecker()
  return files
    .map(file => {
      const id = file.slice(join(root, 'src/commands/').length, -'.ts'.length).replaceAll('/', ' ')
      return `${id}\n${draw(checker, returnType(checker, program.getSourceFile(file)), 1, [])}\n`
    })
    .join('\n')
}

function returnType(checker: ts.TypeChecker, source: ts.SourceFile | undefined): ts.Type {
  const symbol = source && checker.getSymbolAtLocation(source)
  const command = symbol?.exports?.get('default' as ts.__String)
  const run = command && checker.getDeclaredTypeOfSymbol(command).getProperty('run')
  const signature = run?.valueDeclaration && checker.getTypeOfSymbol(run).getCallSignatures()[0]
  const result = signature && checker.getAwaitedType(signature.getReturnType())
  if (!result) throw new Error(`${source?.fileName ?? 'a command'} has no run() with a type`)
  return result
}

function draw(checker: ts.TypeChecker, type: ts.Type, depth: number, above: readonly ts.Type[]): string {
  const indent = '  '.repeat(depth)
  const element = checker.isArrayType(type) ? checker.getTypeArguments(type as ts.TypeReference)[0] : undefined
  if (element) return `${indent}array of\n${draw(checker, element, depth + 1, above)}`
  const isPlain = !(type.flags & ts.TypeFlags.Object) || type.getCallSignatures().length > 0
  if (isPlain || above.includes(type) || type.getProperties().length === 0)
    return drawUnion(checker, type, depth, above)
  return type
    .getProperties()
    .map(property => {
      const optional = property.flags & ts.SymbolFlags.Optional ? '?' : ''
      const inner = checker.getNonNullableType(checker.getTypeOfSymbol(property))
      const whole = checker.getTypeOfSymbol(property)
      const orNull = checker.typeToString(whole).endsWith('| null') ? ' | null' : ''
      const text = draw(checker, inner, depth + 1, [...above, type])
      return text.includes('\n') || isNested(checker, inner)
        ? `${indent}${property.name}${optional}:${orNull && ' or null'}\n${text}`
        : `${indent}${property.name}${optional}: ${text.trim()}${orNull}`
    })
    .join('\n')
}

function drawUnion(checker: ts.TypeChecker, type: ts.Type, depth: number, above: readonly ts.Type[]): string {
  const indent = '  '.repeat(depth)
  const objects = type.isUnion()
    ? type.types.filter(t => t.flags & ts.TypeFlags.Object && t.getProperties().length > 0)
    : []
  if (objects.length === 0) return `${indent}${checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation)}`
  return objects.map(one => `${indent}either\n${draw(checker, one, depth + 1, above)}`).join('\n')
}

function isNested(checker: ts.TypeChecker, type: ts.Type): boolean {
  return checker.isArrayType(type) || (Boolean(type.flags & ts.TypeFlags.Object) && type.getProperties().length > 0)
}
