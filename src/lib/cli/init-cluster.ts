import type {Context} from '../context.js'
import {listContexts, noContext, readAddress} from '../tools/kubectl.js'
import {askOne} from '../ui/prompts.js'

export interface ClusterOptions {
  /** Of the kubeconfig. */
  readonly context: string | undefined
  readonly namespace: string | undefined
}

/** Which cluster, pinned by its address and its authority: a context is a name that anybody can point elsewhere. */
export async function clusterAnswers(context: Context, options: ClusterOptions): Promise<Record<string, unknown>> {
  const name = options.context ?? (await askContext(context))
  const {ca, server} = await readAddress(context.exec, name)
  return {
    'kubernetes.context': name,
    ...(options.namespace !== undefined && {'kubernetes.namespace': options.namespace}),
    'kubernetes.server': server,
    ...(ca !== undefined && {'kubernetes.ca': ca}),
  }
}

async function askContext(context: Context): Promise<string> {
  const contexts = await listContexts(context.exec)
  if (contexts.length === 0) throw await noContext(context.exec, undefined)
  return askOne(context, {
    message: 'Which context of the kubeconfig?',
    flag: '--context',
    instead: `init --target kubernetes --context ${contexts[0]} --yes`,
    initial: contexts[0] ?? '',
    choices: contexts.map(value => ({value, name: value})),
  })
}
