import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {JobSpec} from '../types/job.js'
import {retyped} from './retype.js'

interface Machine {
  readonly cpus: number
  readonly gpus: number
}
type Group = Extract<JobSpec['work'], {type: 'ddp'}>

/** How many processes a machine has room for. */
function roomOn(machine: Machine, {cpus, gpus}: JobSpec['resources']): number {
  const byCpu = Math.floor(machine.cpus / cpus + 1e-9)
  return gpus > 0 ? Math.min(byCpu, Math.floor(machine.gpus / gpus + 1e-9)) : byCpu
}

/** Refuses at once what could never run. With fewer machines than nodes, the machines that there are share the processes. */
export function checkRoom(
  command: Context['command'],
  machines: readonly Machine[],
  resources: JobSpec['resources'],
  {nodes, processes, words}: Group & {readonly words: readonly string[]},
): void {
  const wanted = nodes * processes
  const room = machines.reduce((sum, machine) => sum + roomOn(machine, resources), 0)
  if (room >= wanted) return
  const total = (kind: keyof Machine) => machines.reduce((sum, machine) => sum + machine[kind], 0)
  const kind = resources.gpus * wanted > total('gpus') ? 'gpus' : 'cpus'
  const word = kind === 'gpus' ? 'GPU' : 'CPU'
  const share = Math.floor((total('cpus') / wanted) * 100) / 100
  const again = (flags: readonly string[], value: number | string) => command(retyped(words, flags, String(value)))
  const more = [
    ...(room > 0 ? [again(['--processes', '-j'], nodes > 1 && processes === 1 ? `${room}x1` : `1x${room}`)] : []),
    ...(kind === 'cpus' && share >= 0.1 ? [again(['--cpus-per-worker'], share)] : []),
    ...(kind === 'gpus' && total('gpus') === 0 ? [again(['--gpus-per-worker'], 0)] : []),
  ]
  // What runs again takes what it took.
  const tryThis = [...(words[1] === 'ddp' ? more : []), command('doctor')]
  throw new MlvError(
    'MLV_JOB_TOO_BIG',
    `${nodes}x${processes} processes with ${resources[kind]} ${word}${resources[kind] === 1 ? '' : 's'} each are more than there is: the machines of this profile have ${total(kind)} ${word}${total(kind) === 1 ? '' : 's'}, room for ${room}.`,
    {tryThis},
  )
}
