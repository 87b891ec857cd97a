import * as Args from '@oclif/core/args'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import {type Stopped, stopJob} from '../../lib/jobs/wait.js'

export default class JobsStop extends BaseCommand {
  static override summary = 'Stop a job; it writes a checkpoint first.'

  static override description = 'Waits until the job has ended. Stopping one that has ended changes nothing.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> digits-amber-x3f2', description: 'Stop one job.'},
  ]

  static override args = {job: Args.string({description: 'Name or id of the job; your last one by default.'})}

  async run(): Promise<Stopped> {
    const {args, flags} = await this.parse(JobsStop)
    const context = await this.context(flags)
    const end = await withPlatform(context, platform => stopJob(context, platform, args.job))
    context.reporter.result(end.stopped ? `${end.job}: ${end.state}` : `${end.job} had ended before: ${end.state}`)
    return end
  }
}
