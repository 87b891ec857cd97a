import * as Args from '@oclif/core/args'

import {BaseCommand} from '../lib/cli/base-command.js'
import {type Explanation, explain, formatExplanations} from '../lib/explain.js'

export default class Explain extends BaseCommand {
  static override summary = 'Explain an error code or an exit code: what is the case, and what helps.'

  static override description = 'Every error of mlv ends with its code. Without a code, lists all of them.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> MLV_LOCKED', description: 'What one code means.'},
    {command: '<%= config.bin %> <%= command.id %> 13', description: 'What an exit code means.'},
    {command: '<%= config.bin %> <%= command.id %>', description: 'Every code with its exit code.'},
  ]

  static override args = {
    code: Args.string({description: 'The code, such as MLV_LOCKED, or an exit code, such as 13.'}),
  }

  async run(): Promise<{codes: readonly Explanation[]}> {
    const {args, flags} = await this.parse(Explain)
    const {context} = await this.lenientContext(flags)
    const codes = explain(args.code, line => context.command(line))
    context.reporter.result(formatExplanations(codes, args.code))
    return {codes}
  }
}
