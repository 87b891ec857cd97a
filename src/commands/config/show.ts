import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {formatSettings, type ShownSettings, showSettings} from '../../lib/cli/show-settings.js'

export default class ConfigShow extends BaseCommand {
  static override summary = 'Show every setting of the profile, and where it comes from.'

  static override description =
    'Flags win over the environment, the environment over mlv.yaml, mlv.yaml over your own config.yaml.'

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> --origin',
      description: 'Each value with its file, line and column.',
    },
    {command: '<%= config.bin %> <%= command.id %> --profile team --json', description: 'For a script.'},
  ]

  static override flags = {
    origin: Flags.boolean({env: 'MLV_ORIGIN', summary: 'Show where each value comes from.'}),
  }

  async run(): Promise<ShownSettings> {
    const {flags} = await this.parse(ConfigShow)
    const context = await this.context(flags)
    const shown = showSettings(context)
    context.reporter.result(formatSettings(shown, context, flags.origin))
    return shown
  }
}
