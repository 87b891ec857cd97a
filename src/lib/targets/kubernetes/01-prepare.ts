import {z} from 'zod'

import type {Context} from '../../context.js'
import {helmVersion} from '../../tools/helm.js'
import type {Phase, PhaseState} from '../../types/phase.js'
import {checkRights, checkVersions} from './access.js'
import {namespaceOf} from './names.js'
import {ensureNamespace, rayKinds, refuseOldRayKinds} from './namespace.js'
import {refuseSettings} from './refuse-settings.js'
import {clusterState} from './state.js'

const recordSchema = z.object({server: z.string(), kubernetes: z.string(), mlv: z.string()})

/** Access, versions, rights: everything that can be asked before anything is made. */
export const preparePhase: Phase = {
  id: '01-prepare',
  needs: [],
  summary: 'Check access, versions and rights on the cluster',
  status: prepareState,
  apply: async context => {
    const {context: name} = context.profile.settings.kubernetes
    refuseSettings(context)
    return [
      {
        id: 'rights',
        title: 'Checking versions and rights',
        plan: [`kubectl --context ${name} auth can-i (each verb that setup uses) -n ${namespaceOf(context)}`],
        async run(progress) {
          const kube = await context.kube()
          progress.update(kube.server)
          const [kubernetes, kinds] = await Promise.all([
            checkVersions(context),
            rayKinds(kube),
            helmVersion(context.exec),
          ])
          if (kinds === 'served') await refuseOldRayKinds(kube)
          await checkRights(context, {needsOperator: kinds === 'absent'})
          await ensureNamespace(context)
          const record = {server: kube.server, kubernetes, mlv: context.version}
          await clusterState(context).write('01-prepare', recordSchema, record)
        },
      },
    ]
  },
  destroy: async context =>
    (await clusterState(context).read('01-prepare', recordSchema))
      ? [
          {
            id: 'forget',
            title: 'Forgetting what was checked',
            run: () => clusterState(context).remove('01-prepare'),
          },
        ]
      : [],
}

async function prepareState(context: Context): Promise<PhaseState> {
  const kube = await context.kube()
  const record = await clusterState(context).read('01-prepare', recordSchema)
  if (!record) return {kind: 'absent'}
  return {kind: 'ready', detail: `${kube.context}, Kubernetes ${record.kubernetes} at ${kube.server}`}
}
