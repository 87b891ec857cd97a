import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {endWithJob} from '../../lib/cli/job-end.js'
import {downloadJob, type LogText, readLog} from '../../lib/jobs/logs.js'
import type {JobResult} from '../../lib/jobs/outcome.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import {waitForJob} from '../../lib/jobs/wait.js'

export default class JobsLogs extends BaseCommand {
  static override summary = 'Print what a job wrote, or follow it.'

  static override description =
    `Prints on stdout. With --follow it shows the job as \`train\` does, until its end; Ctrl-C
stops following, never the job.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> --tail 50', description: 'The last lines of your last job.'},
    {
      command: '<%= config.bin %> <%= command.id %> digits-amber-x3f2 -f --tail 5',
      description: 'Follow a job again, from its last lines on.',
    },
    {command: '<%= config.bin %> <%= command.id %> --download out', description: 'The log and all files of the run.'},
  ]

  static override args = {job: Args.string({description: 'Name or id of the job; your last one by default.'})}

  static override flags = {
    follow: Flags.boolean({
      char: 'f',
      env: 'MLV_FOLLOW',
      exclusive: ['download', 'raw'],
      summary: 'Follow to the end.',
    }),
    tail: Flags.integer({
      env: 'MLV_TAIL',
      helpValue: '<n>',
      min: 0,
      summary: 'Only the last lines; with --follow, what comes after them too.',
    }),
    download: Flags.string({
      env: 'MLV_DOWNLOAD',
      helpValue: '<folder>',
      summary: 'Write the log and all files of the run there.',
    }),
    raw: Flags.boolean({env: 'MLV_RAW', summary: 'Every line as it is, events too.'}),
  }

  async run(): Promise<JobResult | LogText | {job: string; files: string[]}> {
    const {args, flags} = await this.parse(JobsLogs)
    const context = await this.context(flags)
    return withPlatform(context, async platform => {
      if (flags.follow) {
        const outcome = await waitForJob(context, platform, args.job, {isShown: true, tail: flags.tail})
        return endWithJob(outcome, context.reporter, this.jsonEnabled())
      }
      if (flags.download !== undefined) {
        const written = await downloadJob(context, platform, args.job, flags.download)
        context.reporter.result(`Wrote ${written.files.length} files of ${written.job} to ${flags.download}`)
        return written
      }
      const log = await readLog(context, platform, args.job, {tail: flags.tail, isRaw: flags.raw})
      if (log.lines.length > 0) context.reporter.result(log.lines.join('\n'))
      return log
    })
  }
}
