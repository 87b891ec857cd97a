import {MlvError, withoutStop} from '../../errors.js'
import type {Bench, Canary} from '../canary.js'

/** Whoever shares the cluster is kept from Ray's ports, token or not. */
export const networkPolicy: Canary = {
  id: 'network-policy',
  title: 'NetworkPolicy keeps another namespace from Ray',
  scope: 'all',
  deadlineSeconds: 180,
  isWanted: ({knock}) => knock !== undefined,
  async run(bench) {
    const seen = await bench.connection.knock?.(bench.name, bench)
    if (!seen) throw new Error('Nobody can knock on this platform.')
    if ('cannot' in seen) return weaker(bench, seen.cannot)
    if (seen.inside.length === 0)
      throw wrong(bench, 'A pod of the namespace does not reach Ray, so that the silence to others proves nothing')
    if (seen.outside.length > 0)
      return weaker(
        bench,
        `NetworkPolicy is not enforced by this cluster: a pod of another namespace reaches ${ports(seen.outside)} of Ray.`,
      )
    return `a pod of the namespace reaches ${ports(seen.inside)}, one of another namespace none`
  },
}

function weaker(bench: Bench, what: string): {warning: string} {
  if (bench.context.profile.settings.network_policy === 'required') throw wrong(bench, what)
  return {warning: what}
}

const ports = (seen: readonly number[]): string => `port ${seen.join(' and ')}`

function wrong({context}: Bench, what: string): MlvError {
  return new MlvError('MLV_VERIFY_CANARY', `${withoutStop(what)}.`, {
    tryThis: [
      'Install a network plugin that enforces NetworkPolicy, such as Calico or Cilium.',
      context.command('config show --origin'),
    ],
  })
}
