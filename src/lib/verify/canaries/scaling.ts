import {setTimeout as pause} from 'node:timers/promises'
import {z} from 'zod'

import {MlvError, withoutStop} from '../../errors.js'
import {createRayClient, type RayClient} from '../../jobs/ray-client.js'
import {resolveTarget} from '../../targets/resolve.js'
import {formatArgv} from '../../tools/exec.js'
import type {Fleet} from '../../types/target.js'
import type {Bench, Canary} from '../canary.js'
import {clientOptions} from './bench-experiment.js'
import {removeJob, waitForEnd} from './ray-job.js'

const POLL_MS = 500
/** A node may have to be made first, and an image pulled. */
const GROW_S = 300
/** Waiting longer for a worker to go says no more than that Ray counts it as idle. */
const LONGEST_IDLE_S = 150
/** Ray's autoscaler looks every five seconds, and the operator is told by it. */
const SHRINK_S = 60

/** A hundredth of a CPU on each machine that there is and on one more: only a new one can give that. */
const SCRIPT = `
import json, sys, time
import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.util.placement_group import placement_group, remove_placement_group

ray.init()
group = placement_group([{"CPU": 0.01}] * int(sys.argv[1]), strategy="STRICT_SPREAD")
ray.get(group.ready())
remove_placement_group(group)
idle, until = 0, time.monotonic() + 60
while not idle and time.monotonic() < until:
    status = get_cluster_status(ray.get_runtime_context().gcs_address)
    idle = sum(node.ray_node_type_name != "headgroup" for node in status.idle_nodes)
    time.sleep(0.5)
print(json.dumps({"idle": idle}))
`
const saidSchema = z.object({idle: z.int()})

/** Machines come with work and go without it. */
export const scaling: Canary = {
  id: 'scaling',
  title: 'A worker is added for a small job, and taken away again',
  scope: 'all',
  deadlineSeconds: GROW_S + 60 + LONGEST_IDLE_S + SHRINK_S,
  isWanted: ({fleet}) => fleet !== undefined,
  async run(bench) {
    const before = await look(bench)
    if (before.room <= 0) return {skipped: `all workers that there may be are there (${before.machines})`}
    const ray = createRayClient(await bench.connection.ray(), clientOptions(bench))
    try {
      const began = performance.now()
      const {idle, peak} = await grow(bench, ray, before)
      const grown = `${before.machines} to ${peak} in ${secondsSince(began)}`
      if (!bench.isPatient || before.idleSeconds > LONGEST_IDLE_S) {
        if (idle === 0) throw wrong(bench, 'No worker counts as idle a minute after the last work')
        return `${grown}; ${idle} idle, taken away after ${before.idleSeconds} s without work`
      }
      const ended = performance.now()
      const left = await shrink(bench, peak, before.idleSeconds)
      return `${grown}, ${left} again ${secondsSince(ended)} after the work had ended`
    } finally {
      ray.close()
    }
  },
}

async function look({connection}: Bench): Promise<Fleet> {
  const found = await connection.fleet?.()
  if (!found) throw new Error('This platform has no fleet.')
  return found
}

async function grow(bench: Bench, ray: RayClient, before: Fleet): Promise<{idle: number; peak: number}> {
  const id = `${bench.name}-scaling`
  bench.traces.add(`the Ray job ${id}`, signal => removeJob(bench, id, signal))
  const argv = [ray.endpoint.python, '-c', SCRIPT, String(before.machines + 1)]
  await ray.submit({submission_id: id, entrypoint: `exec ${formatArgv(argv)}`, metadata: {}, runtime_env: {}})
  const late = AbortSignal.timeout(GROW_S * 1000)
  await waitForEnd({...bench, signal: AbortSignal.any([bench.signal, late])}, ray, id).catch(async error => {
    if (!late.aborted) throw error
    const target = await resolveTarget(bench.context)
    const [hindrance] = (await target.hindrances?.(bench.context).catch(() => [])) ?? []
    throw wrong(bench, `No worker came within ${GROW_S} s: ${hindrance?.what ?? 'all may be busy'}`)
  })
  const last = (await ray.logs(id)).trimEnd().split('\n').at(-1) ?? ''
  return {idle: saidSchema.parse(JSON.parse(last)).idle, peak: (await look(bench)).machines}
}

/** Whichever goes: Ray takes the one that has been idle longest. */
async function shrink(bench: Bench, peak: number, idleSeconds: number): Promise<number> {
  const until = performance.now() + (idleSeconds + SHRINK_S) * 1000
  for (;;) {
    const {machines} = await look(bench)
    if (machines < peak) return machines
    if (performance.now() > until)
      throw wrong(bench, `All ${peak} workers are there ${idleSeconds + SHRINK_S} s after the work has ended`)
    await pause(POLL_MS, undefined, {signal: bench.signal})
  }
}

const secondsSince = (began: number): string => `${((performance.now() - began) / 1000).toFixed(1)} s`

function wrong({context}: Bench, what: string): MlvError {
  return new MlvError('MLV_VERIFY_CANARY', `${withoutStop(what)}.`, {
    tryThis: [context.command('logs ray'), context.command('status')],
  })
}
