import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {formatSetup} from '../lib/phases/format.js'
import {type SetupResult, setUp} from '../lib/phases/setup.js'

export default class Setup extends BaseCommand {
  static override summary = 'Build what is missing of the platform, and prove that it works.'

  static override description =
    `Each phase first looks at what is there and does only what is missing, so the command can
be repeated at any time: after a failure, an interrupt, a restart of the machine. A phase is named by its number (03),
its id (03-mlflow) or its name (mlflow).`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Build everything.'},
    {command: '<%= config.bin %> <%= command.id %> --only 03', description: 'Build phase 03 alone.'},
    {command: '<%= config.bin %> <%= command.id %> --dry-run', description: 'Show what would be done.'},
  ]

  static override flags = {
    'dry-run': Flags.boolean({
      char: 'n',
      env: 'MLV_DRY_RUN',
      summary: 'Show what would be done; change nothing.',
    }),
    from: Flags.string({
      env: 'MLV_FROM',
      exclusive: ['only'],
      helpValue: '<phase>',
      summary: 'Build this phase and those after it.',
    }),
    only: Flags.string({
      env: 'MLV_ONLY',
      helpValue: '<phase>',
      summary: 'Build this phase alone.',
    }),
    yes: Flags.boolean({
      char: 'y',
      env: 'MLV_YES',
      summary: 'Answer every question with yes.',
    }),
  }

  async run(): Promise<SetupResult> {
    const {flags} = await this.parse(Setup)
    const context = await this.context(flags)
    const result = await setUp({context, from: flags.from, only: flags.only})
    context.reporter.result(formatSetup(context, result))
    return result
  }
}
