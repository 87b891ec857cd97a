/** Takes what is secret out of a text. */
export type Redact = (text: string) => string

const HIDDEN = '***'
// Anything shorter would blank out ordinary words and numbers.
const SHORTEST_SECRET = 6

/** Names of variables, keys and flags whose values nobody else may see. */
export const SECRET_NAME =
  /token|passw|passphrase|secret|credential|api_?key|access_?key|private_?key|authorization|cookie/i

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // Everything up to the last @: a password that was not encoded may hold any of `:`, `/`, `@`.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>`]*@/gi, `$1${HIDDEN}@`],
  [/\b(Bearer|Basic|token)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [
    /((?:[\w-]*(?:token|passw(?:or)?d|passphrase|secret|credentials?|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|authorization)[\w-]*)["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&"'})\]]+)/gi,
    `$1${HIDDEN}`,
  ],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  [/\b(?:gh[pousr]_|github_pat_|hf_|glpat-|xox[abprs]-|sk-)[A-Za-z0-9_-]{10,}/g, HIDDEN],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, HIDDEN],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, HIDDEN],
]

/** An address without the name and password that it may carry. */
export function redactUrls(text: string): string {
  const [pattern, replacement] = PATTERNS[0] ?? [/$^/, '']
  return text.replaceAll(pattern, replacement)
}

/** Hides these values in every form in which programs write them down, and whatever looks like a secret. */
export function createRedactor(secrets: Iterable<string>): Redact {
  const forms = [...new Set([...secrets].filter(value => value.length >= SHORTEST_SECRET).flatMap(formsOf))]
  // Longest first, so that no piece of a longer one stays.
  forms.sort((a, b) => b.length - a.length)
  return text => {
    let hidden = text
    for (const form of forms) hidden = hidden.replaceAll(form, HIDDEN)
    for (const [pattern, replacement] of PATTERNS) hidden = hidden.replaceAll(pattern, replacement)
    return hidden
  }
}

function formsOf(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64')
  return [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), base64, base64.replace(/=+$/, '')]
}
