import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {endWithJob, followOptions} from '../../lib/cli/job-end.js'
import type {JobResult} from '../../lib/jobs/outcome.js'
import {resumeTune} from '../../lib/jobs/tune-resume.js'

export default class TuneResume extends BaseCommand {
  static override summary = 'Go on with a sweep that was stopped, killed or is to have more trials.'

  static override description = `Trials that have ended stay as they are; those that were begun go on from their
checkpoints, in the same runs of MLflow.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> digits-sweep-amber-x3f2', description: 'Go on where it ended.'},
    {
      command: '<%= config.bin %> <%= command.id %> digits-sweep-amber-x3f2 --trials +50',
      description: 'Add trials to a sweep.',
    },
  ]

  static override args = {sweep: Args.string({description: 'Name of the sweep; your last job by default.'})}

  static override flags = {
    trials: Flags.string({env: 'MLV_TRIALS', helpValue: '<+n|n>', summary: 'So many more, or so many in all.'}),
    'restart-errored': Flags.boolean({env: 'MLV_RESTART_ERRORED', summary: 'Try trials again that failed.'}),
    'keep-space': Flags.boolean({
      env: 'MLV_KEEP_SPACE',
      summary: "Go on with the sweep's own search space, whatever its template says by now.",
    }),
    detach: Flags.boolean({
      char: 'd',
      env: 'MLV_DETACH',
      exclusive: ['wait'],
      summary: 'Return as soon as the job is submitted.',
    }),
    wait: Flags.integer({env: 'MLV_WAIT', helpValue: '<seconds>', min: 1, summary: 'Follow at most so long.'}),
  }

  async run(): Promise<JobResult> {
    const {args, flags} = await this.parse(TuneResume)
    const context = await this.context(flags)
    const request = {
      of: args.sweep,
      trials: flags.trials,
      restartErrored: flags['restart-errored'] ?? false,
      keepSpace: flags['keep-space'],
    }
    const outcome = await resumeTune(context, request, followOptions(flags))
    return endWithJob(outcome, context.reporter, this.jsonEnabled())
  }
}
