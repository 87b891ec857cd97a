import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {endWithJob} from '../../lib/cli/job-end.js'
import type {JobResult} from '../../lib/jobs/outcome.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import {waitForJob} from '../../lib/jobs/wait.js'

export default class JobsWait extends BaseCommand {
  static override summary = 'Wait until a job has ended, and end as it did.'

  static override description =
    'Ends with 0, with 100 when the job failed, 101 when it was stopped, 69 after --timeout.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> --timeout 600', description: 'Your last job, ten minutes at most.'},
  ]

  static override args = {job: Args.string({description: 'Name or id of the job; your last one by default.'})}

  static override flags = {
    timeout: Flags.integer({env: 'MLV_TIMEOUT', helpValue: '<seconds>', min: 1, summary: 'Wait at most so long.'}),
  }

  async run(): Promise<JobResult> {
    const {args, flags} = await this.parse(JobsWait)
    const context = await this.context(flags)
    const waitMs = flags.timeout === undefined ? undefined : flags.timeout * 1000
    const outcome = await withPlatform(context, platform =>
      waitForJob(context, platform, args.job, {isShown: false, waitMs}),
    )
    return endWithJob(outcome, context.reporter, this.jsonEnabled())
  }
}
