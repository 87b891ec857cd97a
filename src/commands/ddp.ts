import * as Args from '@oclif/core/args'

import {BaseCommand} from '../lib/cli/base-command.js'
import {ddpFlags} from '../lib/cli/ddp-flags.js'
import {endWithJob, followOptions} from '../lib/cli/job-end.js'
import {ddp, ddpDryRun} from '../lib/jobs/ddp.js'
import type {JobResult} from '../lib/jobs/outcome.js'
import type {DryRun} from '../lib/jobs/train.js'

export default class Ddp extends BaseCommand {
  static override summary = 'Train one model on several processes or GPUs, as one tracked job.'

  static override description =
    `The processes divide each batch, so that the training is the same as on one. A process that dies ends
the job, which names it; with --elastic the others go on. Ends with 100 when the job failed, 101 when it was stopped.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %> -j 1x2', description: 'Train on two processes of one machine.'},
    {
      command: '<%= config.bin %> <%= command.id %> --scaling 1,2 --epochs 5',
      description: 'Compare two processes with one.',
    },
    {
      command: '<%= config.bin %> <%= command.id %> ddp-4x1 -j 4x8 --gpus-per-worker 1 --preflight',
      description: 'Train on eight GPUs of each of four machines, after a check of each.',
    },
  ]

  static override args = {template: Args.string({description: 'A template of kind ddp; ddp-1x4 by default.'})}

  static override flags = ddpFlags

  async run(): Promise<JobResult | DryRun> {
    // Taken before parsing, which writes over this.argv.
    const words = ['mlv', 'ddp', ...this.argv]
    const {args, flags} = await this.parse(Ddp)
    const context = await this.context(flags)
    const request = {
      ...flags,
      template: args.template,
      cpusPerWorker: flags['cpus-per-worker'],
      gpusPerWorker: flags['gpus-per-worker'],
      hourlyPrice: flags['hourly-price'],
      idempotencyKey: flags['idempotency-key'],
      words,
    }
    if (flags['dry-run']) {
      const {text, value} = await ddpDryRun(context, request)
      context.reporter.result(text)
      return value
    }
    const outcome = await ddp(context, request, followOptions(flags))
    return endWithJob(outcome, context.reporter, this.jsonEnabled())
  }
}
