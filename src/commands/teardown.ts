import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {formatTeardown} from '../lib/phases/format.js'
import {type TeardownResult, tearDown} from '../lib/phases/teardown.js'

export default class Teardown extends BaseCommand {
  static override summary = 'Stop and remove the platform; keep its data unless told otherwise.'

  static override description = `Runs, models, artifacts and checkpoints stay, and are listed with their size and price.
With --delete-data they go too; that is confirmed by the profile's name, typed or by --confirm (--yes is not enough).
Ends with 12 when something that nobody asked to keep could not be removed.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Stop everything, keep the data.'},
    {
      command: '<%= config.bin %> <%= command.id %> --delete-data --confirm local',
      description: 'Remove the data of the profile local too.',
    },
  ]

  static override flags = {
    confirm: Flags.string({
      dependsOn: ['delete-data'],
      env: 'MLV_CONFIRM',
      helpValue: '<name>',
      summary: 'Confirm by the name of the profile that its data go.',
    }),
    'delete-data': Flags.boolean({
      env: 'MLV_DELETE_DATA',
      summary: 'Remove runs, models, artifacts and checkpoints too.',
    }),
    'dry-run': Flags.boolean({
      char: 'n',
      env: 'MLV_DRY_RUN',
      summary: 'Show what would be done; change nothing.',
    }),
    yes: Flags.boolean({
      char: 'y',
      env: 'MLV_YES',
      summary: 'Answer every question with yes, but for the one about data.',
    }),
  }

  async run(): Promise<TeardownResult> {
    const {flags} = await this.parse(Teardown)
    const context = await this.context(flags)
    const result = await tearDown({context, confirm: flags.confirm, deleteData: flags['delete-data']})
    context.reporter.result(formatTeardown(context, result))
    return result
  }
}
