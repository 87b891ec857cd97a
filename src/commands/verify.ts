import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {exitCodes} from '../lib/exit-codes.js'
import {canaryIds, type VerifyResult} from '../lib/verify/canary.js'
import {formatVerify, verify} from '../lib/verify/verify.js'

export default class Verify extends BaseCommand {
  static override summary = 'Prove by real actions that the platform works.'

  static override description = `Signs in, is refused, logs a run with a file and reads it back, registers a model, runs
a job on Ray and loads a model there, writes to the disk; on a cluster lets a worker come and go, and knocks at Ray from
another namespace. What the canaries make is removed again.
Ends with ${exitCodes.verifyFailed} when one of them fails.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'All canaries, at once.'},
    {command: '<%= config.bin %> <%= command.id %> --only ray-job --only model', description: 'Two of them.'},
    {command: '<%= config.bin %> <%= command.id %> --json --junit verify.xml', description: 'For CI.'},
  ]

  static override flags = {
    only: Flags.string({
      env: 'MLV_VERIFY_ONLY',
      multiple: true,
      delimiter: ',',
      options: [...canaryIds],
      helpValue: '<canary>',
      summary: 'Run only this canary; can be given several times.',
    }),
    junit: Flags.string({
      env: 'MLV_JUNIT',
      helpValue: '<file>',
      summary: 'Write a JUnit report to this file as well.',
    }),
  }

  async run(): Promise<VerifyResult> {
    const {flags} = await this.parse(Verify)
    const context = await this.context(flags)
    const only = canaryIds.filter(id => flags.only?.includes(id))
    const result = await verify({context, junit: flags.junit, only: only.length > 0 ? only : undefined})
    context.reporter.result(formatVerify(result))
    if (result.failed > 0) process.exitCode = exitCodes.verifyFailed
    return result
  }
}
