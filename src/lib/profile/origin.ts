/** Where a value comes from, strongest first. */
export type Origin =
  | {readonly kind: 'flag'; readonly flag: string}
  | {readonly kind: 'environment'; readonly variable: string; readonly file?: string; readonly line?: number}
  | {readonly kind: 'project' | 'user'; readonly file: string; readonly line: number; readonly column: number}
  | {readonly kind: 'default'}

/** An origin in one short phrase: `mlv.yaml:7:12`, `MLV_RAY_CPUS in .env:2`, `default`. */
export function describeOrigin(origin: Origin, shorten: (file: string) => string): string {
  if (origin.kind === 'flag') return origin.flag
  if (origin.kind === 'default') return 'default'
  if (origin.kind !== 'environment') return `${shorten(origin.file)}:${origin.line}:${origin.column}`
  return origin.file === undefined ? origin.variable : `${origin.variable} in ${shorten(origin.file)}:${origin.line}`
}
