import {resolve} from 'node:path'

import type {Context} from '../context.js'
import {resolveTarget} from '../targets/resolve.js'
import {writeFileAtomic} from '../tools/atomic-file.js'
import type {CanaryId, VerifyResult} from './canary.js'
import {junitXml} from './junit.js'
import {verifyProfile} from './run.js'

export interface VerifyCommandOptions {
  readonly context: Context
  readonly only?: readonly CanaryId[] | undefined
  /** Where a JUnit report goes, relative to where the person stands. */
  readonly junit?: string | undefined
}

/** Proves the platform of a profile. */
export async function verify({context, junit, only}: VerifyCommandOptions): Promise<VerifyResult> {
  const target = await resolveTarget(context)
  const connection = target.connect(context)
  try {
    // Says at once that there is no platform, instead of once for each canary.
    await connection.mlflow()
    const result = await verifyProfile({context, connection, scope: 'all', only, isPatient: true})
    if (junit !== undefined) await writeFileAtomic(resolve(context.cwd, junit), junitXml(result), 0o644)
    return result
  } finally {
    await connection.close()
  }
}

/** The verdict and, for each canary that failed, what helps; the canaries themselves were shown while they ran. */
export function formatVerify({canaries, failed, passed, seconds, skipped, warned}: VerifyResult): string {
  const time = `${seconds.toFixed(1)} s`
  const others = [
    ...(warned === 0 ? [] : [`${warned} with a warning`]),
    ...(skipped === 0 ? [] : [`${skipped} with nothing to prove here`]),
  ]
  const beside = others.map(what => `, ${what}`).join('')
  if (failed === 0) return `${passed} canaries passed${beside} in ${time}; what they made is removed.`
  const helps = [...new Set(canaries.flatMap(canary => canary.try_this))]
  return [
    `${failed} of ${canaries.length} canaries failed (${time}):`,
    ...canaries.filter(({state}) => state === 'failed').map(({detail, title}) => `  ${title}: ${detail}`),
    ...(helps.length > 0 ? ['', 'Try this:', ...helps.map(line => `  ${line}`)] : []),
  ].join('\n')
}
