import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {exitCodes} from '../lib/exit-codes.js'
import {formatStatus} from '../lib/phases/format.js'
import {readStatus, type StatusResult} from '../lib/phases/status.js'

export default class Status extends BaseCommand {
  static override summary = 'Show what there is of the platform, and where it answers.'

  static override description = `Every phase is ready, drifted (with the reason) or absent. Only looks.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Look at every phase.'},
    {
      command: '<%= config.bin %> <%= command.id %> --exit-code',
      description: 'End with 1 when a phase is drifted or absent.',
    },
  ]

  static override flags = {
    'exit-code': Flags.boolean({
      env: 'MLV_EXIT_CODE',
      summary: 'End with 1 when a phase is drifted or absent.',
    }),
  }

  async run(): Promise<StatusResult> {
    const {flags} = await this.parse(Status)
    const context = await this.context(flags)
    const result = await readStatus({context})
    context.reporter.result(formatStatus(context, result))
    if (flags['exit-code'] && !result.ready) process.exitCode = exitCodes.failed
    return result
  }
}
