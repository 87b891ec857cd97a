import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import type {Kube} from '../../tools/kube-session.js'
import {openKube} from '../../tools/kube-session.js'
import {type ClusterAddress, noContext, readAddress} from '../../tools/kubectl.js'

/** Opens the cluster that the profile means, and no other. */
export async function openCluster(context: Omit<Context, 'kube'>): Promise<Kube> {
  const {context: name, namespace} = context.profile.settings.kubernetes
  if (name === undefined) throw await noContext(context.exec, undefined)
  const address = await readAddress(context.exec, name)
  refuseOther(context, name, address)
  const {environment, signal} = context
  return openKube({access: {context: name, namespace}, address, environment, signal})
}

/** A context is a name that anybody can point elsewhere: the address and the authority tell the cluster. */
function refuseOther({command, profile}: Omit<Context, 'kube'>, name: string, found: ClusterAddress): void {
  const {ca, server} = profile.settings.kubernetes
  const isOther = server !== undefined && server.replace(/\/$/, '') !== found.server.replace(/\/$/, '')
  if (!isOther && (ca === undefined || ca === found.ca)) return
  const what = isOther
    ? `leads to ${found.server}; profile ${profile.name} is pinned to ${server}`
    : `leads to a cluster with another authority than profile ${profile.name} is pinned to`
  throw new MlvError('MLV_CLUSTER_OTHER', `Context ${name} ${what}.`, {
    details: isOther ? [] : [`kubernetes.ca in the profile: ${ca}`, `found: ${found.ca ?? 'none'}`],
    tryThis: [`kubectl config get-contexts ${name}`, command('config show --origin')],
  })
}
