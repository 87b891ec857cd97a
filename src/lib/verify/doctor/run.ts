import {MlvError} from '../../errors.js'
import {redactUrls} from '../redact.js'
import type {Check, CheckResult, DoctorResult, Patient} from './check.js'
import {machineChecks} from './machine.js'
import {networkChecks} from './network.js'
import {platformChecks} from './platform.js'
import {toolChecks} from './tools.js'

/**
 * Looks at everything that mlv stands on, all at once. Works without a platform or a project. Changes only what is
 * asked for by `isFixing`, and of that what is safe.
 */
export async function examine(patient: Patient, {isFixing = false} = {}): Promise<DoctorResult> {
  const all = [...toolChecks, ...machineChecks, ...networkChecks, ...platformChecks]
  const wanted = await Promise.all(all.map(async check => (await check.isWanted?.(patient)) ?? true))
  const checks = all.filter((_, at) => wanted[at])
  const results = await Promise.all(checks.map(check => (isFixing ? mend(check, patient) : look(check, patient))))
  patient.context.signal.throwIfAborted()
  const count = (...states: string[]) => results.filter(({state}) => states.includes(state)).length
  return {
    profile: patient.context.profile.name,
    good: count('good', 'note'),
    warnings: count('warning'),
    bad: count('bad'),
    checks: results,
  }
}

async function mend(check: Check, patient: Patient): Promise<CheckResult> {
  const before = await look(check, patient)
  if (before.state === 'good' || before.state === 'note' || !check.mend) return before
  try {
    const mended = await check.mend(patient)
    return mended === undefined ? before : {...(await look(check, patient)), mended}
  } catch (error) {
    return {...before, found: `${before.found}; it cannot be mended: ${(error as Error).message}`}
  }
}

async function look(check: Check, patient: Patient): Promise<CheckResult> {
  const {group, id, title} = check
  try {
    const {fix = [], found, state} = await check.look(patient)
    return {id, group, title, state, found: redactUrls(found), fix, mended: null}
  } catch (error) {
    // A check that cannot look is a finding too; the others go on.
    const fix = error instanceof MlvError ? error.tryThis : []
    return {id, group, title, state: 'warning', found: redactUrls((error as Error).message), fix, mended: null}
  }
}
