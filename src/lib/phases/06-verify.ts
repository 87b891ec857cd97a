import {z} from 'zod'

import type {Phase, PhaseState} from '../types/phase.js'
import {builtSchema, type StateStore} from '../types/state.js'
import type {Target} from '../types/target.js'
import {formatMoment} from '../ui/duration.js'
import type {Reporter} from '../ui/reporter.js'
import {proveProfile} from '../verify/run.js'

const proofSchema = z.object({proven_at: z.iso.datetime(), canaries: z.int(), seconds: z.number()})

const provenPhases = ['03-mlflow', '04-users', '05-connection'] as const

/**
 * Proves MLflow by real actions. The proof holds until one of the phases that it covers is built again: that is what
 * makes a second setup quick (docs/decisions/when-setup-verifies.md). `mlv verify` proves again at any time.
 */
export function verifyPhase(target: Target): Phase {
  return {
    id: '06-verify',
    needs: ['05-connection'],
    summary: 'Prove MLflow by real actions',
    status: context => verifyState(target.state(context)),
    apply: async context => [
      {
        id: 'prove',
        title: 'Proving MLflow by real actions',
        plan: ['Log a run, a metric and a file, register a model, read them back, remove them'],
        run: async progress => {
          const connection = target.connect(context)
          try {
            const told = {...context, reporter: countingReporter(context.reporter, progress.update)}
            const {passed, seconds} = await proveProfile({context: told, connection, scope: 'core'})
            const proof = {proven_at: new Date().toISOString(), canaries: passed, seconds}
            await target.state(context).write('06-verify', proofSchema, proof)
          } finally {
            await connection.close()
          }
        },
      },
    ],
    destroy: async context =>
      (await target.state(context).read('06-verify', proofSchema))
        ? [{id: 'forget', title: 'Forgetting the proof', run: () => target.state(context).remove('06-verify')}]
        : [],
  }
}

async function verifyState(state: StateStore): Promise<PhaseState> {
  const proof = await state.read('06-verify', proofSchema)
  if (!proof) return {kind: 'absent'}
  const built = await Promise.all(
    provenPhases.map(async id => ({id, at: (await state.read(`${id}.built`, builtSchema))?.at})),
  )
  const rebuilt = built.find(({at}) => at !== undefined && at > proof.proven_at)
  if (rebuilt) return {kind: 'drifted', why: `${rebuilt.id} was built again since the proof`}
  return {
    kind: 'ready',
    detail: `${proof.canaries} canaries passed on ${formatMoment(new Date(proof.proven_at))}`,
  }
}

/** Inside a phase the canaries are one line of its task: how many have passed. */
export function countingReporter(reporter: Reporter, update: (detail: string) => void): Reporter {
  let added = 0
  let ended = 0
  const end = () => {
    ended += 1
    update(`${ended} of ${added} canaries`)
  }
  const nothing = () => undefined
  return {
    ...reporter,
    tasks: () => ({
      add() {
        added += 1
        return {start: nothing, stage: nothing, update: nothing, succeed: end, skip: end, fail: end}
      },
      close: async () => undefined,
    }),
  }
}
