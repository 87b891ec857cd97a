import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {endWithJob} from '../../lib/cli/job-end.js'
import type {JobResult} from '../../lib/jobs/outcome.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import {planRerun} from '../../lib/jobs/rerun.js'
import {submitAndFollow} from '../../lib/jobs/train.js'

export default class JobsRerun extends BaseCommand {
  static override summary = 'Run a job again as it was, from what was saved with its run.'

  static override description =
    `Takes the code, the parameters, the resources and the packages of the earlier job, not those of
the folder you stand in. Where mlv's packages have changed since, an environment with the old ones is made first.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> digits-amber-x3f2', description: 'The same again.'},
    {command: '<%= config.bin %> <%= command.id %> --set epochs=40', description: 'Your last job with one change.'},
  ]

  static override args = {job: Args.string({description: 'Name or id of the job; your last one by default.'})}

  static override flags = {
    name: Flags.string({
      char: 'n',
      env: 'MLV_NAME',
      helpValue: '<name>',
      summary: 'Name the new job; made up by default.',
    }),
    set: Flags.string({
      env: 'MLV_SET',
      helpValue: '<name=value>',
      multiple: true,
      multipleNonGreedy: true,
      summary: 'Change a parameter.',
    }),
    detach: Flags.boolean({char: 'd', env: 'MLV_DETACH', summary: 'Return as soon as the job is submitted.'}),
  }

  async run(): Promise<JobResult> {
    // Taken before parsing, which writes over this.argv.
    const words = ['mlv', 'jobs', 'rerun', ...this.argv]
    const {args, flags} = await this.parse(JobsRerun)
    const context = await this.context(flags)
    const request = {of: args.job, name: flags.name, set: flags.set, words}
    const plan = await withPlatform(context, platform => planRerun(context, platform, request))
    const outcome = await submitAndFollow(context, plan, {isDetached: flags.detach})
    return endWithJob(outcome, context.reporter, this.jsonEnabled())
  }
}
