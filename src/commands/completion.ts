import {join} from 'node:path'
import * as Args from '@oclif/core/args'

import {BaseCommand} from '../lib/cli/base-command.js'
import {complete, completionScript, type Shell, shells} from '../lib/cli/completion.js'

export default class Completion extends BaseCommand {
  static override summary = 'Print the script by which a shell completes what you type after mlv.'

  static override description = `Completes commands, flags, profiles, templates, parameters and the names of jobs. In a
checkout, where mlv is not on PATH, say first: alias mlv='npx mlv'. With words after -- it prints what could stand in the
place of the last one; that is what the script asks for.`

  static override examples = [
    {
      command: 'eval "$(<%= config.bin %> <%= command.id %> bash)"',
      description: 'For this shell; for each, in ~/.bashrc.',
    },
    {command: 'eval "$(<%= config.bin %> <%= command.id %> zsh)"', description: 'The same for zsh, in ~/.zshrc.'},
  ]

  static override args = {
    shell: Args.custom<Shell>({options: [...shells]})({description: 'Your shell.', required: true}),
  }

  async run(): Promise<{script: string | null; words: readonly string[] | null}> {
    const at = this.argv.indexOf('--')
    // Taken before parsing, which writes over this.argv.
    const [own, asked] = at < 0 ? [this.argv, undefined] : [this.argv.slice(0, at), this.argv.slice(at + 1)]
    const {args, flags} = await this.parse(Completion, own)
    if (asked === undefined) {
      const script = completionScript(args.shell, [process.execPath, join(this.config.root, 'bin', 'mlv.js')])
      ;(await this.lenientContext(flags)).context.reporter.result(script)
      return {script, words: null}
    }
    const words = await complete(asked, this.config.commands, () => this.context(flags))
    if (words.length > 0 && !this.jsonEnabled()) process.stdout.write(`${words.join('\n')}\n`)
    return {script: null, words}
  }
}
