import {BaseCommand} from '../../lib/cli/base-command.js'
import {formatTemplates} from '../../lib/templates/describe.js'
import {listTemplates} from '../../lib/templates/load-template.js'

export interface TemplateListResult {
  templates: {
    name: string
    source: 'project' | 'built-in'
    folder: string
    summary: string | null
    problem: string | null
  }[]
}

export default class TemplatesList extends BaseCommand {
  static override summary = 'List the recipes that can be trained.'

  static override description = "The project's own, in its folder `templates/`, come first."

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'What `train` knows by name.'},
  ]

  async run(): Promise<TemplateListResult> {
    const {flags} = await this.parse(TemplatesList)
    const context = await this.context(flags)
    const entries = await listTemplates(context)
    context.reporter.result(formatTemplates(entries, context.reporter.symbols))
    return {
      templates: entries.map(({name, source, folder, template, problem}) => ({
        name,
        source,
        folder,
        summary: template?.summary ?? null,
        problem: problem ?? null,
      })),
    }
  }
}
