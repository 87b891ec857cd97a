import {BaseCommand} from '../lib/cli/base-command.js'

export interface VersionResult {
  mlv: string
  node: string
  platform: string
}

export default class Version extends BaseCommand {
  static override summary = 'Print the version of mlv, of its Node and of the platform.'

  static override examples = [{command: '<%= config.bin %> <%= command.id %> --json', description: 'For a bug report.'}]

  async run(): Promise<VersionResult> {
    const {flags} = await this.parse(Version)
    const {reporter} = await this.context(flags)
    const result = {mlv: this.config.version, node: process.version, platform: `${process.platform}-${process.arch}`}
    reporter.result(`mlv ${result.mlv}, Node ${result.node}, ${result.platform}`)
    return result
  }
}
