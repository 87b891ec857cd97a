import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {type DumpResult, writeDump} from '../../lib/verify/dump/write.js'

export default class SupportDump extends BaseCommand {
  static override summary = 'Write one text file for a bug report that is safe to paste.'

  static override description = `Versions, settings and where they come from, what the doctor says, phases, journal and
the ends of the logs. Passwords, tokens and keys are taken out; have a look at it before you post it.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Into a file of the current folder.'},
    {command: '<%= config.bin %> <%= command.id %> --output bug.txt', description: 'Into this file.'},
  ]

  static override flags = {
    output: Flags.string({
      char: 'o',
      env: 'MLV_OUTPUT',
      helpValue: '<file>',
      summary: 'Write to this file; it must not exist yet.',
    }),
  }

  async run(): Promise<DumpResult> {
    const {flags} = await this.parse(SupportDump)
    const {context, problem} = await this.lenientContext(flags)
    const result = await writeDump({context, output: flags.output, problem})
    context.reporter.result(result.file)
    return result
  }
}
