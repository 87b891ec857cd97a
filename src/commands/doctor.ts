import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import type {DoctorResult} from '../lib/verify/doctor/check.js'
import {formatDoctor} from '../lib/verify/doctor/format.js'
import {examine} from '../lib/verify/doctor/run.js'

export default class Doctor extends BaseCommand {
  static override summary = 'Look at what mlv needs on this machine, each with what mends it.'

  static override description = `Tools, disk, memory, GPU, network, settings, ports and the platform itself. Works
without a project, without a platform and with a broken mlv.yaml. Changes nothing, but for --fix.
Ends with 1 when something keeps mlv from working.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Look at everything.'},
    {command: '<%= config.bin %> <%= command.id %> --json', description: 'The same for a script.'},
  ]

  static override flags = {
    fix: Flags.boolean({
      env: 'MLV_DOCTOR_FIX',
      summary: 'Mend what can be mended without losing anything: who may read passwords and keys.',
    }),
  }

  async run(): Promise<DoctorResult> {
    const {flags} = await this.parse(Doctor)
    const {context, problem} = await this.lenientContext(flags)
    const result = await examine({context, problem}, {isFixing: flags.fix})
    context.reporter.result(formatDoctor(result, context.reporter.symbols))
    if (result.bad > 0) process.exitCode = 1
    return result
  }
}
