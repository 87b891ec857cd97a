import {MlvError} from '../errors.js'
import {type Phase, type PhaseId, phaseIds} from '../types/phase.js'

/** What people call a phase: the plan's script names (`03-deploy-mlflow`), with or without the number. */
const nouns: Readonly<Record<PhaseId, readonly string[]>> = {
  '01-prepare': ['prepare', 'aws', 'environment'],
  '02-cluster': ['cluster', 'eks', 'infrastructure'],
  '03-mlflow': ['mlflow'],
  '04-users': ['users', 'user'],
  '05-connection': ['connection', 'connections'],
  '06-verify': ['verify', 'verification'],
  '07-ray': ['ray'],
  '08-airflow': ['airflow'],
}

const verbs = ['setup', 'deploy', 'create', 'configure', 'install', 'check', 'test']

/** The id that a person means by a number (`3`, `03`), an id, a plain word (`mlflow`) or a script name (`01-setup-aws`). */
export function findPhaseId(name: string): PhaseId | undefined {
  const [, digits, words] = /^(?:0?(\d))?-?([a-z][a-z-]*)?$/.exec(name.trim().toLowerCase()) ?? []
  if (digits === undefined && words === undefined) return undefined
  return phaseIds.find(id => (digits === undefined || id[1] === digits) && (words === undefined || isNamed(id, words)))
}

function isNamed(id: PhaseId, words: string): boolean {
  return nouns[id].some(noun => words === noun || verbs.some(verb => words === `${verb}-${noun}`))
}

export interface PhaseChoice {
  readonly only?: string | undefined
  readonly from?: string | undefined
}

/** The phases that `--only` or `--from` name; all of them without either. */
export function choosePhases(
  phases: readonly Phase[],
  {only, from}: PhaseChoice,
  command = (line: string) => `mlv ${line}`,
): readonly Phase[] {
  if (only !== undefined) return [requirePhase(phases, only, '--only', command)]
  if (from === undefined) return phases
  const first = requirePhase(phases, from, '--from', command)
  return phases.filter(phase => phase.id >= first.id)
}

function requirePhase(phases: readonly Phase[], name: string, flag: string, command: (line: string) => string): Phase {
  const id = findPhaseId(name)
  const phase = phases.find(candidate => candidate.id === id)
  if (phase) return phase
  const message = id
    ? `${id} is not a phase of this profile's target.`
    : `${flag} ${JSON.stringify(name)} names no phase.`
  throw new MlvError('MLV_USAGE_PHASE', message, {
    details: ['The phases are:', ...phases.map(({id, summary}) => `  ${id.padEnd(14)} ${summary}`)],
    tryThis: [command('setup'), command(`setup ${flag} ${phases[0]?.id.slice(0, 2) ?? '01'}`)],
  })
}

/** In an order in which each phase comes after all that it needs; by number where the graph leaves a choice. */
export function inOrder(phases: readonly Phase[]): readonly Phase[] {
  const byId = new Map(phases.map(phase => [phase.id, phase]))
  const ordered: Phase[] = []
  const visit = (phase: Phase, path: readonly PhaseId[]) => {
    if (ordered.includes(phase)) return
    if (path.includes(phase.id))
      throw new Error(`Phases need each other in a circle: ${[...path, phase.id].join(' → ')}`)
    for (const id of phase.needs) {
      const needed = byId.get(id)
      if (!needed) throw new Error(`${phase.id} needs ${id}, which this target does not have.`)
      visit(needed, [...path, phase.id])
    }
    ordered.push(phase)
  }
  for (const phase of [...phases].sort((a, b) => a.id.localeCompare(b.id))) visit(phase, [])
  return ordered
}

/** The phases given and everything that they need, directly or not. */
export function withNeeds(phases: readonly Phase[], chosen: readonly Phase[]): readonly Phase[] {
  const wanted = new Set(chosen.map(({id}) => id))
  for (const phase of [...inOrder(phases)].reverse()) {
    if (wanted.has(phase.id)) for (const id of phase.needs) wanted.add(id)
  }
  return inOrder(phases).filter(({id}) => wanted.has(id))
}
