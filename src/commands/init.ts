import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../lib/cli/base-command.js'
import {formatInit, type InitResult, initProject} from '../lib/cli/init-project.js'

export default class Init extends BaseCommand {
  static override summary = 'Write a commented mlv.yaml for this folder.'

  static override description =
    'Asks what no flag says; with --yes it asks nothing. mlv works without this file: it is for what differs from the ' +
    'defaults, and for what a team shares.'

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Answer three questions.'},
    {command: '<%= config.bin %> <%= command.id %> --yes --torch cpu', description: 'From a script.'},
  ]

  static override flags = {
    context: Flags.string({
      env: 'MLV_KUBERNETES_CONTEXT',
      helpValue: '<name>',
      summary: 'Run on the cluster of this context of the kubeconfig, and pin it.',
    }),
    force: Flags.boolean({env: 'MLV_FORCE', summary: 'Write over a mlv.yaml that is there.'}),
    name: Flags.string({
      env: 'MLV_NAME',
      helpValue: '<name>',
      summary: 'Name the profile, as --profile does; local by default.',
    }),
    namespace: Flags.string({
      env: 'MLV_KUBERNETES_NAMESPACE',
      helpValue: '<name>',
      summary: 'The namespace on the cluster; mlv by default.',
    }),
    store: Flags.string({
      env: 'MLV_MLFLOW_STORE',
      helpValue: '<address>',
      summary: 'Keep runs in this PostgreSQL database instead of SQLite.',
    }),
    target: Flags.string({env: 'MLV_TARGET', options: ['local', 'kubernetes'], summary: 'Where the profile runs.'}),
    torch: Flags.string({
      env: 'MLV_PYTHON_TORCH',
      helpValue: '<build>',
      summary: 'Use this build of PyTorch: auto, cpu, cu128.',
    }),
    yes: Flags.boolean({char: 'y', env: 'MLV_YES', summary: 'Ask nothing; take the defaults.'}),
  }

  async run(): Promise<InitResult> {
    const {flags} = await this.parse(Init)
    // A mlv.yaml that is broken must not keep --force from replacing it.
    const {context} = await this.lenientContext({...flags, profile: undefined})
    const result = await initProject(context, {
      context: flags.context,
      force: flags.force,
      // Of a file that is being made, the profile is the one that it names.
      name: flags.name ?? flags.profile,
      namespace: flags.namespace,
      store: flags.store,
      target: flags.target,
      torch: flags.torch,
      yes: flags.yes,
    })
    context.reporter.result(formatInit(result, context))
    return result
  }
}
