import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {formatQuickstart} from '../lib/phases/format-quickstart.js'
import {type QuickstartResult, quickstart} from '../lib/phases/quickstart.js'

export default class Quickstart extends BaseCommand {
  static override summary = 'From nothing to a trained, tracked model on this machine.'

  static override description =
    `Sets the platform up, trains on scikit-learn's handwritten digits, proves that all of it
works, and ends with the test accuracy and the address of the run. A second time it shows what the first one made.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Everything that is missing.'},
    {command: '<%= config.bin %> <%= command.id %> --again', description: 'Train once more.'},
  ]

  static override flags = {
    again: Flags.boolean({
      env: 'MLV_AGAIN',
      summary: 'Train a new model, though an earlier quickstart made one.',
    }),
    yes: Flags.boolean({
      char: 'y',
      env: 'MLV_YES',
      summary: 'Answer every question with yes.',
    }),
  }

  async run(): Promise<QuickstartResult> {
    const {flags} = await this.parse(Quickstart)
    const context = await this.context(flags)
    const result = await quickstart({context, again: flags.again})
    context.reporter.result(formatQuickstart(context, result))
    return result
  }
}
