import {randomBytes} from 'node:crypto'
import {hostname} from 'node:os'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {KubeError} from '../../tools/kube-error.js'
import {anySchema, type Lease, leaseSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {isAlive, startOfProcess} from '../../tools/process-table.js'
import type {Lock} from '../../types/state.js'
import {checkRights} from './access.js'
import {LOCK, leasePath} from './names.js'
import {ensureNamespace} from './namespace.js'

const DURATION_S = 60
const RENEW_MS = 15_000
const HOLDER = 'mlv.dev/holder'

const holderSchema = z.object({
  pid: z.int(),
  /** Tells the process from a later one with the same number. */
  started: z.string(),
  host: z.string(),
  user: z.string(),
  since: z.string(),
  command: z.string(),
})
type Holder = z.output<typeof holderSchema>

/** A Lease in the namespace, renewed for as long as the command runs. */
export async function acquireLease(context: Context, command: string): Promise<Lock> {
  const kube = await context.kube()
  await ensureNamespace(context)
  const mine: Holder = {
    pid: process.pid,
    started: (await startOfProcess(context.exec, process.pid)) ?? '',
    host: hostname(),
    user: context.user,
    since: new Date(kube.now()).toISOString(),
    command,
  }
  const identity = `${mine.user}@${mine.host}:${mine.pid}:${randomBytes(4).toString('hex')}`
  for (;;) {
    const found = await kube.get(leasePath(kube.namespace, LOCK), leaseSchema)
    const holder = await refuseHeld(context, kube, found)
    const written = await write(kube, found, identity, mine)
    if (!written) continue
    return hold(context, kube, {written, identity, mine, takenOverFrom: holder})
  }
}

export async function ensureNoLease(context: Context): Promise<void> {
  const kube = await context.kube()
  const found = await kube.get(leasePath(kube.namespace, LOCK), leaseSchema).catch(async error => {
    // One list of all that is missing says more than the first refusal.
    if (error instanceof KubeError && error.status === 403) await checkRights(context, {needsOperator: false})
    throw error
  })
  await refuseHeld(context, kube, found)
}

/** Gives whoever held it and let it run out. */
async function refuseHeld(context: Context, kube: Kube, found: Lease | undefined): Promise<Holder | undefined> {
  const holder = found && holderOf(found)
  if (found && holder && (await isHeld(context, kube, found, holder))) throw lockedError(context, kube, holder)
  return holder
}

function holderOf({metadata, spec}: Lease): Holder | undefined {
  if (!spec.holderIdentity) return undefined
  try {
    return holderSchema.parse(JSON.parse(metadata.annotations?.[HOLDER] ?? ''))
  } catch {
    const since = spec.renewTime ?? ''
    return {pid: 0, started: '', host: spec.holderIdentity, user: 'somebody', since, command: 'a command'}
  }
}

async function isHeld(context: Context, kube: Kube, {spec}: Lease, holder: Holder): Promise<boolean> {
  const until = Date.parse(spec.renewTime ?? '') + (spec.leaseDurationSeconds ?? DURATION_S) * 1000
  if (!(until > kube.now())) return false
  // Of another machine's processes nothing is known here.
  return holder.host !== hostname() || isAlive(context.exec, holder)
}

/** Undefined where somebody was faster. */
async function write(kube: Kube, found: Lease | undefined, identity: string, mine: Holder): Promise<Lease | undefined> {
  const body = leaseObject(kube, identity, mine, found?.metadata.resourceVersion)
  const [method, path] = found ? ['PUT', leasePath(kube.namespace, LOCK)] : ['POST', leasePath(kube.namespace)]
  return kube.call(method, path, leaseSchema, {body}).catch(error => {
    if (error instanceof KubeError && error.status === 409) return undefined
    throw error
  })
}

function leaseObject(kube: Kube, identity: string, mine: Holder, resourceVersion: string | undefined): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: LOCK,
      annotations: {[HOLDER]: JSON.stringify(mine)},
      ...(resourceVersion !== undefined && {resourceVersion}),
    },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: DURATION_S,
      renewTime: new Date(kube.now()).toISOString().replace('Z', '000Z'),
    },
  }
}

interface Held {
  readonly written: Lease
  readonly identity: string
  readonly mine: Holder
  readonly takenOverFrom: Holder | undefined
}

function hold(context: Context, kube: Kube, {identity, mine, takenOverFrom, written}: Held): Lock {
  const lost = new AbortController()
  let lease = written
  let lastRenewed = performance.now()
  const giveUp = (why: string) =>
    lost.abort(
      new MlvError('MLV_LOCKED', `The lock of profile ${context.profile.name} was lost: ${why}.`, {
        tryThis: [context.command('status'), context.command('setup')],
      }),
    )
  const renew = async () => {
    try {
      const body = leaseObject(kube, identity, mine, lease.metadata.resourceVersion)
      lease = await kube.call('PUT', leasePath(kube.namespace, LOCK), leaseSchema, {body})
      lastRenewed = performance.now()
    } catch (error) {
      if (error instanceof KubeError && (error.status === 409 || error.status === 404)) giveUp('somebody else took it')
      else if (performance.now() - lastRenewed > DURATION_S * 1000) giveUp('the cluster gave no answer')
    }
  }
  const timer = setInterval(renew, RENEW_MS).unref()
  return {
    ...(takenOverFrom && {takenOverFrom}),
    lost: lost.signal,
    async release() {
      clearInterval(timer)
      if (lost.signal.aborted) return
      const body = {spec: {holderIdentity: ''}, metadata: {resourceVersion: lease.metadata.resourceVersion}}
      // Without an answer, or after the namespace has gone, nobody is kept out: the lease runs out.
      await kube.call('PATCH', leasePath(kube.namespace, LOCK), anySchema, {body}).catch(() => undefined)
    },
  }
}

function lockedError({command, profile}: Context, kube: Kube, holder: Holder): MlvError {
  const {command: what, host, pid, since, user} = holder
  return new MlvError(
    'MLV_LOCKED',
    `Profile ${profile.name} is being changed by ${user}@${host} (${what}, pid ${pid}, since ${since}).`,
    {
      tryThis: [command('status'), `kubectl --context ${kube.context} -n ${kube.namespace} get lease ${LOCK} -o yaml`],
    },
  )
}
