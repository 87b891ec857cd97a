import type {Context} from '../context.js'
import type {Target} from '../types/target.js'

/** The target of a profile. The one place that knows a target by its name; loaded when it is asked for. */
export async function resolveTarget(context: Context): Promise<Target> {
  const targets = {
    kubernetes: async () => (await import('./kubernetes/target.js')).kubernetesTarget,
    local: async () => (await import('./local/target.js')).localTarget,
  } as const
  return targets[context.profile.settings.target]()
}
