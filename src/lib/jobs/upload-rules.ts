import {readFile, stat} from 'node:fs/promises'
import {dirname, join, relative, sep} from 'node:path'
import ignore, {type Ignore} from 'ignore'

/** What never leaves the machine, whatever the ignore files say: history, secrets, environments, caches. */
const never: readonly (readonly [RegExp, string])[] = [
  [/^\.git$/, 'history is never sent'],
  [/^\.mlv$/, "mlv's own state is never sent"],
  [/^\.env(\..*)?$/, 'environment files are never sent'],
  [/^(\.venv|venv|\.tox|\.nox|\.conda)$/, 'virtual environments are never sent'],
  [/^(__pycache__|\.mypy_cache|\.ruff_cache|\.pytest_cache|\.ipynb_checkpoints|\.DS_Store)$/, 'caches are never sent'],
  [/^mlv-support-.*\.txt$/, 'what support dump wrote is never sent'],
  [/^node_modules$/, 'node_modules is never sent'],
  [/^(mlruns|mlartifacts)$/, 'tracked runs are never sent'],
]

/** Files of rules, the later ones first to be asked. */
const ruleFiles = ['.gitignore', '.mlvignore'] as const

interface RuleFile {
  /** The folder that its patterns are relative to. */
  readonly folder: string
  readonly name: string
  readonly rules: Ignore
}

/** The rules that hold in one folder: its own and those of the folders above, up to the root of the repository. */
export type Rules = readonly RuleFile[]

/** The rules that hold in the folder to be sent, before its own are added. */
export async function rulesAbove(folder: string): Promise<Rules> {
  const parents: string[] = []
  for (let current = folder; !(await exists(join(current, '.git'))); current = dirname(current)) {
    if (dirname(current) === current) return []
    parents.unshift(dirname(current))
  }
  let rules: Rules = []
  for (const parent of parents) rules = await addRulesOf(parent, rules)
  return rules
}

/** Adds the ignore files that lie in a folder; they outweigh those above. */
export async function addRulesOf(folder: string, above: Rules): Promise<Rules> {
  const own = await Promise.all(
    ruleFiles.map(async name => {
      const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
      return text === undefined ? [] : [{folder, name, rules: ignore().add(text)}]
    }),
  )
  return [...own.flat().reverse(), ...above]
}

/** The rule that leaves a path out, in words, or nothing. */
export async function leftOutBy(path: string, isFolder: boolean, rules: Rules): Promise<string | undefined> {
  const name = path.slice(path.lastIndexOf(sep) + 1)
  for (const [pattern, reason] of never) {
    if (pattern.test(name)) return reason
  }
  if (isFolder && (await exists(join(path, 'pyvenv.cfg')))) return 'virtual environments are never sent'
  for (const {folder, name: file, rules: own} of rules) {
    const below = relative(folder, path).split(sep).join('/') + (isFolder ? '/' : '')
    const {ignored, rule, unignored} = own.test(below)
    if (unignored) return undefined
    if (ignored) return `${file}: ${(rule as {pattern?: string} | undefined)?.pattern ?? 'a pattern'}`
  }
  return undefined
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
