import * as Args from '@oclif/core/args'

import {BaseCommand} from '../lib/cli/base-command.js'
import {endWithJob, followOptions} from '../lib/cli/job-end.js'
import {tuneFlags} from '../lib/cli/tune-flags.js'
import type {JobResult} from '../lib/jobs/outcome.js'
import {tune, tuneDryRun} from '../lib/jobs/tune.js'
import type {SweepEstimate} from '../lib/jobs/tune-estimate.js'

export default class Tune extends BaseCommand {
  static override summary = 'Search for good parameters with many trials, as one tracked job.'

  static override description = `Each trial is a run below the sweep's own in MLflow. A trial that fails never ends the
sweep. Ctrl-C stops following, never the sweep. Ends with 100 when it failed, 101 when it was stopped.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> digits-sweep', description: 'Search on handwritten digits.'},
    {
      command: '<%= config.bin %> <%= command.id %> digits-sweep --trials 100 --algorithm random --max-time 30m',
      description: 'Choose how.',
    },
    {
      command: '<%= config.bin %> <%= command.id %> digits-sweep --set optimizer.name=sgd --register digits',
      description: 'Fix a parameter that varies, and register the best.',
    },
  ]

  static override args = {template: Args.string({description: 'A template of kind tune; digits-sweep by default.'})}

  static override flags = tuneFlags

  async run(): Promise<JobResult | SweepEstimate> {
    // Taken before parsing, which writes over this.argv.
    const words = ['mlv', 'tune', ...this.argv]
    const {args, flags} = await this.parse(Tune)
    const context = await this.context(flags)
    const request = {
      ...flags,
      template: args.template,
      idempotencyKey: flags['idempotency-key'],
      maxTime: flags['max-time'],
      maxFailures: flags['max-failures'],
      retrainBest: flags['retrain-best'],
      hourlyPrice: flags['hourly-price'],
      words,
    }
    if (flags['dry-run']) {
      const {text, value} = await tuneDryRun(context, request)
      context.reporter.result(text)
      return value
    }
    const outcome = await tune(context, request, followOptions(flags))
    return endWithJob(outcome, context.reporter, this.jsonEnabled())
  }
}
