import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {type EjectResult, ejectTemplate} from '../../lib/templates/eject.js'

export default class TemplatesEject extends BaseCommand {
  static override summary = "Copy a recipe into the project's `templates/`, to change it."

  static override description = 'The copy comes before the built-in one of the same name. Nothing is written over.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> digits', description: 'Make templates/digits.'},
    {command: '<%= config.bin %> <%= command.id %> script --to recipes', description: 'Make recipes/script.'},
  ]

  static override args = {
    name: Args.string({description: 'The template, as `templates list` names it.', required: true}),
  }

  static override flags = {
    to: Flags.string({
      env: 'MLV_TO',
      helpValue: '<folder>',
      summary: "The folder to make the copy in, instead of the project's `templates`.",
    }),
  }

  async run(): Promise<EjectResult> {
    const {args, flags} = await this.parse(TemplatesEject)
    const context = await this.context(flags)
    const result = await ejectTemplate(context, args.name, flags.to)
    context.reporter.result(result.folder)
    return result
  }
}
