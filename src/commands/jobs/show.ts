import * as Args from '@oclif/core/args'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import {describeJob, type JobDetails, showJob} from '../../lib/jobs/show.js'

export default class JobsShow extends BaseCommand {
  static override summary = 'Show one job.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Your last job.'},
    {command: '<%= config.bin %> <%= command.id %> digits-amber-x3f2 --json', description: 'One by its name.'},
  ]

  static override args = {job: Args.string({description: 'Name or id of the job; your last one by default.'})}

  async run(): Promise<JobDetails> {
    const {args, flags} = await this.parse(JobsShow)
    const context = await this.context(flags)
    const job = await withPlatform(context, platform => showJob(context, platform, args.job))
    context.reporter.result(describeJob(job, context.reporter.symbols, context.command))
    return job
  }
}
