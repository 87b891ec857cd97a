import {readFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import {
  type Alias,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml'

import type {ErrorCode} from '../error-codes.js'
import {MlvError} from '../errors.js'
import {openAt, type Position, sourceFrame} from './source-frame.js'

export type KeyPath = readonly PropertyKey[]

/** Something wrong in a file, with the place that it is about. */
export interface Problem {
  readonly sentence: string
  readonly path: KeyPath
  /** Whether the place is the key itself; else its value. */
  readonly isAboutKey?: boolean
}

/** A YAML (or JSON) file that was read: its value, and where each part of it stands. */
export interface YamlFile {
  readonly path: string
  /** How the file is called in messages. */
  readonly label: string
  readonly value: unknown
  /** Where the value (or the key) at a path stands; of the nearest parent where it does not exist. */
  position(path: KeyPath, isAboutKey?: boolean): Position
  /** One error that names every problem with its line, its column and the line itself. */
  error(code: ErrorCode, problems: readonly Problem[], tryThis?: readonly string[]): MlvError
}

/** More than this many expansions of aliases is no settings file but an attack on memory. */
const MAX_ALIASES = 100
const MAX_BYTES = 1024 * 1024

export interface ReadOptions {
  readonly label: string
  /** Raised for a file that is no YAML. */
  readonly code: ErrorCode
}

/** Reads a file in which people wrote. Throws when it cannot be read or is no YAML. */
export async function readYamlFile(path: string, {label, code}: ReadOptions): Promise<YamlFile> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    const {code: why} = error as NodeJS.ErrnoException
    const what =
      why === 'ENOENT'
        ? 'does not exist'
        : why === 'EISDIR'
          ? 'is a folder; it has to be a file'
          : `cannot be read (${why})`
    throw new MlvError(code, `${label} ${what}.`, {
      cause: error,
      tryThis: [`ls -l ${JSON.stringify(why === 'ENOENT' ? dirname(path) : path)}`],
    })
  }
  if (bytes.length > MAX_BYTES)
    throw new MlvError(code, `${label} is larger than 1 MiB.`, {tryThis: [`ls -l ${JSON.stringify(path)}`]})
  try {
    return parseYaml(path, new TextDecoder('utf-8', {fatal: true}).decode(bytes), {label, code})
  } catch (error) {
    if (error instanceof MlvError) throw error
    throw new MlvError(code, `${label} is not UTF-8 text.`, {cause: error, tryThis: [`file ${JSON.stringify(path)}`]})
  }
}

/** The same for a text that is at hand. */
export function parseYaml(path: string, text: string, {label, code}: ReadOptions): YamlFile {
  const lines = new LineCounter()
  const document = parseDocument(text, {lineCounter: lines, logLevel: 'error', prettyErrors: false})
  const root = document.contents as Node | null
  const spot = (range: Span) => ({...place(lines, range[0]), length: range[1] - range[0]})
  const raise = (what: readonly {sentence: string; range: Span}[], as: ErrorCode, tryThis: readonly string[] = []) => {
    const blocks = what.map(({range}) => sourceFrame(text, spot(range)))
    const [first, ...others] = what.map(
      ({sentence, range}) => `${label}, line ${spot(range).line}, column ${spot(range).column}: ${sentence}`,
    )
    const details = [
      ...(blocks[0] ?? []),
      ...others.flatMap((line, index) => ['', line, '', ...(blocks[index + 1] ?? [])]),
    ]
    const {line} = spot(what[0]?.range ?? [0, 0])
    const change = openAt(label, line)
    return new MlvError(as, first ?? `${label} is wrong.`, {details, tryThis: tryThis.length > 0 ? tryThis : [change]})
  }
  const syntax = [...document.errors, ...document.warnings][0]
  if (syntax) {
    const range: Span = syntax.code === 'MULTIPLE_DOCS' ? [syntax.pos[0], syntax.pos[0] + 3] : syntax.pos
    throw raise([{sentence: syntaxSentence(syntax, text), range}], code)
  }
  const span = (path: KeyPath, isAboutKey: boolean) => rangeOf(root, path, isAboutKey, alias => alias.resolve(document))
  return {
    path,
    label,
    value: toValue(() => document.toJS({maxAliasCount: MAX_ALIASES}), label, code),
    position: (path, isAboutKey = false) => place(lines, span(path, isAboutKey)[0]),
    error: (as, problems, tryThis) =>
      raise(
        problems
          .map(({sentence, path, isAboutKey = false}) => ({sentence, range: span(path, isAboutKey)}))
          .toSorted((one, other) => one.range[0] - other.range[0]),
        as,
        tryThis,
      ),
  }
}

type Span = readonly [from: number, to: number]

function place(lines: LineCounter, offset: number): Position {
  const {line, col} = lines.linePos(offset)
  return {line: Math.max(1, line), column: Math.max(1, col)}
}

function toValue(read: () => unknown, label: string, code: ErrorCode): unknown {
  try {
    const value = read()
    // A value that holds itself, which YAML allows, ends here and not in whoever walks it.
    JSON.stringify(value)
    return value ?? {}
  } catch (error) {
    const why = error instanceof ReferenceError && /excessive/i.test(error.message) ? 'expands too many aliases' : ''
    const missing = /Unresolved alias[^:]*: (\S+)/.exec((error as Error).message)?.[1]
    const what =
      why || (missing ? `uses the alias *${missing} that nothing defines` : 'holds a value that contains itself')
    throw new MlvError(code, `${label} ${what}.`, {cause: error, tryThis: [openAt(label)]})
  }
}

/** Walks to a path; aliases are followed, what does not exist is answered by its nearest parent. */
function rangeOf(
  root: Node | null,
  path: KeyPath,
  isAboutKey: boolean,
  follow: (alias: Alias) => Node | undefined,
): Span {
  let node: Node | null | undefined = root
  let range: Span = [root?.range?.[0] ?? 0, root?.range?.[0] ?? 0]
  for (const [index, key] of path.entries()) {
    const collection: Node | null | undefined = isAlias(node) ? follow(node) : node
    if (!isCollection(collection)) break
    const pair: Pair<Node, Node | null> | undefined = isMap<Node, Node | null>(collection)
      ? collection.items.find(({key: name}) => isScalar(name) && String(name.value) === String(key))
      : undefined
    node = pair ? pair.value : (collection.get(key, true) as Node | undefined)
    if (!pair && !node) break
    const isLast = index === path.length - 1
    range = spanOf((isLast && isAboutKey) || !node?.range ? (pair?.key ?? node) : node) ?? range
  }
  return range
}

function spanOf(node: Node | null | undefined): Span | undefined {
  const range = node?.range
  if (!range) return undefined
  // A whole block is named by its first character; a scalar is underlined to its end.
  return [range[0], isCollection(node) ? range[0] + 1 : range[1]]
}

const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'This key stands here twice.',
  MULTIPLE_DOCS: 'A second YAML document begins here; one file holds one.',
  TAB_AS_INDENT: 'A tab indents this line; YAML takes spaces.',
  BAD_SCALAR_START: 'A value cannot begin with this character unless it is in quotes.',
  BLOCK_AS_IMPLICIT_KEY:
    'A key and its value begin where a plain value stands; put a value with ": " in quotes, or check the indentation.',
  MISSING_CHAR: 'A quote, bracket or comma is missing here.',
}

function syntaxSentence(problem: {code: string; message: string; pos: [number, number]}, text: string): string {
  if (problem.code === 'DUPLICATE_KEY') {
    const key = /^[^:\s]+/.exec(text.slice(problem.pos[0]))?.[0]
    if (key) return `The key ${JSON.stringify(key)} stands here twice.`
  }
  return SYNTAX[problem.code] ?? `${problem.message.replace(/\.$/, '')}.`
}
