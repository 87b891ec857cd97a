import * as Args from '@oclif/core/args'

import {BaseCommand} from '../lib/cli/base-command.js'
import {endWithJob, followOptions} from '../lib/cli/job-end.js'
import {trainFlags} from '../lib/cli/train-flags.js'
import type {JobResult} from '../lib/jobs/outcome.js'
import {type DryRun, train, trainDryRun} from '../lib/jobs/train.js'

export default class Train extends BaseCommand {
  static override summary = 'Train a model, or run a script of your own, as a tracked job.'

  static override description = `Submits the job and follows it; Ctrl-C stops following, never the job.
The job's output goes to stderr, the result to stdout. Ends with 100 when the job failed, 101 when it was stopped,
69 when --wait ran out.`

  static override usage = ['train [TEMPLATE] [FLAGS]', 'train [FLAGS] -- COMMAND...']

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> digits', description: 'Train on handwritten digits.'},
    {
      command: '<%= config.bin %> <%= command.id %> digits --epochs 5 --set optimizer.lr=0.01',
      description: 'Change parameters.',
    },
    {
      command: '<%= config.bin %> <%= command.id %> -- python my_train.py --lr 0.1',
      description: 'Run a script of your own.',
    },
  ]

  static override args = {template: Args.string({description: 'A template; digits by default.'})}

  static override flags = trainFlags

  async run(): Promise<JobResult | DryRun> {
    const at = this.argv.indexOf('--')
    // Taken before parsing, which writes over this.argv.
    const [all, argv] = [this.argv, at < 0 ? undefined : this.argv.slice(at + 1)]
    const {args, flags} = await this.parse(Train, at < 0 ? all : all.slice(0, at))
    const context = await this.context(flags)
    const request = {
      ...flags,
      template: args.template,
      argv,
      idempotencyKey: flags['idempotency-key'],
      words: ['mlv', 'train', ...all],
    }
    if (flags['dry-run']) {
      const {text, value} = await trainDryRun(context, request)
      context.reporter.result(text)
      return value
    }
    const outcome = await train(context, request, followOptions(flags))
    return endWithJob(outcome, context.reporter, this.jsonEnabled())
  }
}
