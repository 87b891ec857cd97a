import * as Args from '@oclif/core/args'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import {describeWhy, type WhyResult, whyJob} from '../../lib/jobs/why.js'

export default class JobsWhy extends BaseCommand {
  static override summary = 'Say why a job waits, and what would help.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Your last job.'},
    {command: '<%= config.bin %> <%= command.id %> digits-amber-x3f2', description: 'One by its name.'},
  ]

  static override args = {job: Args.string({description: 'Name or id of the job; your last one by default.'})}

  async run(): Promise<WhyResult> {
    const {args, flags} = await this.parse(JobsWhy)
    const context = await this.context(flags)
    const result = await withPlatform(context, platform => whyJob(context, platform, args.job))
    context.reporter.result(describeWhy(result))
    return result
  }
}
