import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {listJobs} from '../../lib/jobs/list.js'
import {jobTable} from '../../lib/jobs/list-table.js'
import {withPlatform} from '../../lib/jobs/platform.js'
import type {JobRecord} from '../../lib/jobs/record.js'

export default class JobsList extends BaseCommand {
  static override summary = 'List jobs, newest first.'

  static override description = `Your own jobs, from MLflow, which remembers them, and Ray, which runs them: a lost Ray
head loses no history. Runs whose job is gone are marked as failed.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Your last jobs.'},
    {command: '<%= config.bin %> <%= command.id %> --all --json', description: "Everybody's, for a script."},
  ]

  static override flags = {
    all: Flags.boolean({char: 'a', env: 'MLV_ALL', summary: "Show everybody's jobs."}),
    limit: Flags.integer({default: 20, env: 'MLV_LIMIT', helpValue: '<n>', min: 1, summary: 'Show at most so many.'}),
  }

  async run(): Promise<{jobs: JobRecord[]}> {
    const {flags} = await this.parse(JobsList)
    const context = await this.context(flags)
    const options = {isAll: flags.all, limit: flags.limit}
    const jobs = await withPlatform(context, platform => listJobs(context, platform, options))
    if (jobs.length === 0) context.reporter.note(`No jobs yet. Try this: ${context.command('train digits')}`)
    else context.reporter.result(jobTable(jobs, flags.all, context.reporter.symbols))
    return {jobs}
  }
}
