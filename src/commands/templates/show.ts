import * as Args from '@oclif/core/args'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {formatTemplate} from '../../lib/templates/describe.js'
import {loadTemplate, type Template} from '../../lib/templates/load-template.js'

export default class TemplatesShow extends BaseCommand {
  static override summary = 'Show a recipe and every parameter that it takes.'

  static override examples = [
    {
      command: '<%= config.bin %> <%= command.id %> digits',
      description: 'What can be set with `train digits --set …`.',
    },
  ]

  static override args = {
    name: Args.string({description: 'The template, as `templates list` names it.', required: true}),
  }

  async run(): Promise<{template: Template}> {
    const {args, flags} = await this.parse(TemplatesShow)
    const context = await this.context(flags)
    const template = await loadTemplate(context, args.name)
    context.reporter.result(formatTemplate(template))
    return {template}
  }
}
