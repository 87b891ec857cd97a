import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {type OpenResult, openPage, type Page, pages} from '../lib/phases/open-page.js'

export default class Open extends BaseCommand {
  static override summary = 'Open a page of the platform in the browser, and print its address.'

  static override description = `Without a terminal, over SSH and in CI the address is only printed.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> mlflow', description: 'The MLflow server.'},
    {
      command: '<%= config.bin %> <%= command.id %> ray --client',
      description: 'The variables that ray.init() reads in a script or notebook.',
    },
    {command: '<%= config.bin %> <%= command.id %> run', description: 'The run of your last job.'},
    {command: '<%= config.bin %> <%= command.id %> model digits --print', description: 'Only print the address.'},
  ]

  static override args = {
    page: Args.custom<Page>({options: [...pages]})({description: 'What to open.', required: true}),
    id: Args.string({description: 'The ID of the run or the name of its job, of the model or of the experiment.'}),
  }

  static override flags = {
    client: Flags.boolean({
      env: 'MLV_CLIENT',
      summary: 'Print what a program needs to reach MLflow or Ray, as lines for a shell, and keep the way open.',
    }),
    print: Flags.boolean({env: 'MLV_PRINT', summary: 'Only print the address.'}),
  }

  async run(): Promise<OpenResult> {
    const {args, flags} = await this.parse(Open)
    const context = await this.context(flags)
    return openPage({context, client: flags.client, id: args.id, page: args.page, print: flags.print})
  }
}
