import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {type LogsResult, readLogs} from '../lib/phases/read-logs.js'

const services = ['mlflow', 'ray'] as const

export default class Logs extends BaseCommand {
  static override summary = 'Show the log of a service.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> mlflow', description: 'The last lines of the MLflow server.'},
    {command: '<%= config.bin %> <%= command.id %> ray --follow', description: 'The Ray head, as it goes on.'},
  ]

  static override args = {
    service: Args.string({description: 'Whose log to show.', options: [...services], required: true}),
  }

  static override flags = {
    follow: Flags.boolean({char: 'f', env: 'MLV_FOLLOW', summary: 'Go on with what comes, until Ctrl-C.'}),
    tail: Flags.integer({
      default: 100,
      env: 'MLV_TAIL',
      helpValue: '<lines>',
      min: 0,
      summary: 'Begin with so many of the last lines.',
    }),
  }

  async run(): Promise<LogsResult> {
    const {args, flags} = await this.parse(Logs)
    const context = await this.context(flags)
    const service = args.service === 'ray' ? 'ray' : 'mlflow'
    return readLogs({context, service, follow: flags.follow, tail: flags.tail})
  }
}
