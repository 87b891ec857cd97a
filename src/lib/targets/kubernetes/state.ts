import type {z} from 'zod'

import type {Context} from '../../context.js'
import {KubeError} from '../../tools/kube-error.js'
import {anySchema, configMapSchema, leaseSchema} from '../../tools/kube-objects.js'
import type {StateStore} from '../../types/state.js'
import {acquireLease, ensureNoLease} from './lease.js'
import {corePath, LOCK, leasePath, RECORD} from './names.js'

/** A Lease and a ConfigMap in the namespace: whoever has the profile works on the same. */
export function clusterState(context: Context): StateStore {
  const path = (namespace: string) => corePath(namespace, 'configmaps', RECORD)
  const read = async () => {
    const kube = await context.kube()
    return (await kube.get(path(kube.namespace), configMapSchema))?.data
  }
  const patch = async (data: Record<string, string | null>) => {
    const kube = await context.kube()
    await kube.call('PATCH', path(kube.namespace), anySchema, {body: {data}}).catch(async error => {
      if (!(error instanceof KubeError && error.status === 404)) throw error
      const labels = {'app.kubernetes.io/managed-by': 'mlv'}
      const body = {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: RECORD, labels}, data}
      await kube.call('POST', corePath(kube.namespace, 'configmaps'), anySchema, {body}).catch(async again => {
        if (!(again instanceof KubeError && again.status === 409)) throw again
        await kube.call('PATCH', path(kube.namespace), anySchema, {body: {data}})
      })
    })
  }
  return {
    lock: command => acquireLease(context, command),
    ensureUnlocked: () => ensureNoLease(context),
    async read(key, schema) {
      return parse((await read())?.[key], schema)
    },
    write: (key, _schema, values) => patch({[key]: JSON.stringify(values)}),
    remove: async key => {
      if ((await read())?.[key] !== undefined) await patch({[key]: null})
    },
    // The lease is made first: a setup that was killed early has left nothing else.
    async isThere() {
      const kube = await context.kube()
      return (
        (await read()) !== undefined || (await kube.get(leasePath(kube.namespace, LOCK), leaseSchema)) !== undefined
      )
    },
  }
}

function parse<T>(text: string | undefined, schema: z.ZodType<T>): T | undefined {
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
