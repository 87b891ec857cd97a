import {readFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {z} from 'zod'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {keepAside, writeFileAtomic} from '../../tools/atomic-file.js'
import {listenerOf} from '../../tools/listeners.js'
import {processesWithVariable} from '../../tools/process-table.js'
import type {ServiceName} from '../../types/target.js'
import {layoutOf} from './layout.js'
import {stopService} from './service.js'

const portsSchema = z.strictObject({mlflow: z.int(), ray: z.int(), gcs: z.int()})

export type Ports = z.output<typeof portsSchema>

const COMMAND_LENGTH = 80
const FIRST_TRIED = {mlflow: 5000, ray: 8265, gcs: 6379} as const

/** The ports of a profile as they were chosen; undefined before, and where the file is damaged. */
export async function readPorts(context: Context): Promise<Ports | undefined> {
  const text = await readFile(layoutOf(context).ports, 'utf8').catch(() => '')
  try {
    return portsSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Chooses what is free and keeps it, so that addresses stay the same from start to start. */
export async function choosePorts(context: Context): Promise<Ports> {
  const {mlflow, ray} = context.profile.settings
  const known: Partial<Ports> = (await readPorts(context)) ?? (await rebuiltPorts(context))
  const fixed = {mlflow: mlflow.port, ray: ray.port, gcs: undefined}
  const chosen: Record<string, number> = {}
  for (const name of ['mlflow', 'ray', 'gcs'] as const) {
    const [wanted, before] = [fixed[name], known[name]]
    if (wanted !== undefined) {
      // Before it is written down: an address that somebody else answers at would be handed his passwords.
      if (wanted !== before) await refuseForeign(context, name, wanted)
      chosen[name] = wanted
    } else if (before !== undefined && !Object.values(fixed).includes(before)) chosen[name] = before
    else chosen[name] = await freePort(FIRST_TRIED[name], Object.values(chosen))
  }
  const ports = portsSchema.parse(chosen)
  await writeFileAtomic(layoutOf(context).ports, `${JSON.stringify(ports)}\n`)
  return ports
}

/** What is running says on which ports: so a lost or damaged file moves nobody, and no job ends by it. */
async function rebuiltPorts(context: Context): Promise<Partial<Ports>> {
  const {ports} = layoutOf(context)
  const aside = await keepAside(ports)
  if (aside) context.reporter.warn(`${ports} was damaged. It is kept as ${aside}, and made anew from what runs.`)
  const running = await processesWithVariable(context.exec, 'MLV_STATE_DIR', context.stateDir)
  const said = (pattern: RegExp) => {
    const port = running.map(({command}) => pattern.exec(command)?.[1]).find(Boolean)
    return port === undefined ? undefined : Number(port)
  }
  const found = {
    mlflow: said(/ mlflow server .*--port (\d+)/),
    ray: said(/ray_head\.py .*--dashboard-port=(\d+)/),
    gcs: said(/ray_head\.py .*--port=(\d+)/),
  }
  return Object.fromEntries(Object.entries(found).filter(([, port]) => port !== undefined))
}

/** Whether the ports on file are those that the settings ask for. */
export async function portsAreChosen(context: Context): Promise<boolean> {
  const ports = await readPorts(context)
  const {mlflow, ray} = context.profile.settings
  return ports !== undefined && (mlflow.port ?? ports.mlflow) === ports.mlflow && (ray.port ?? ports.ray) === ports.ray
}

/** Gives a chosen port up where somebody else listens on it by now and the profile does not fix it. */
async function claimPort(context: Context, name: keyof Ports): Promise<number> {
  const ports = (await readPorts(context)) ?? (await choosePorts(context))
  if (await isFree(ports[name])) return ports[name]
  if (isFixed(context, name)) throw await takenError(context, name, ports[name])
  const moved = {...ports, [name]: await freePort(0, Object.values(ports))}
  context.reporter.note(
    `Port ${ports[name]} is taken by ${await holderOf(context, ports[name])}; ${name} moves to ${moved[name]}.`,
  )
  await writeFileAtomic(layoutOf(context).ports, `${JSON.stringify(moved)}\n`)
  return moved[name]
}

const isFixed = ({profile}: Context, name: keyof Ports): boolean =>
  name !== 'gcs' && profile.settings[name].port !== undefined

async function refuseTaken(context: Context, name: keyof Ports): Promise<void> {
  const port = (await readPorts(context))?.[name]
  if (port !== undefined && isFixed(context, name)) await refuseForeign(context, name, port)
}

/** A process of this profile makes way for the one that is started in its place. */
async function refuseForeign(context: Context, name: keyof Ports, port: number): Promise<void> {
  if (await isFree(port)) return
  const listener = await listenerOf(context, port)
  const ours = await processesWithVariable(context.exec, 'MLV_STATE_DIR', context.stateDir)
  const isOurs = typeof listener === 'object' && ours.some(({pid}) => pid === listener.pid)
  if (!isOurs) throw await takenError(context, name, port)
}

/**
 * Stops a service and starts it on ports that are free. Until it listens, seconds later, another program may take one of
 * them: then it ends, and is started once more elsewhere.
 */
export async function onFreePorts(
  context: Context,
  service: ServiceName,
  names: readonly (keyof Ports)[],
  start: (ports: Ports) => Promise<void>,
): Promise<void> {
  // A service that runs well is not ended for a port that cannot be had.
  for (const name of names) await refuseTaken(context, name)
  for (let isLast = false; ; isLast = true) {
    await stopService(context, service)
    for (const name of names) await claimPort(context, name)
    const ports = (await readPorts(context)) ?? (await choosePorts(context))
    try {
      return await start(ports)
    } catch (error) {
      if (isLast || !(error instanceof MlvError) || error.code !== 'MLV_SERVICE_START') throw error
      await stopService(context, service)
      const free = await Promise.all(names.map(name => isFree(ports[name])))
      if (!free.includes(false)) throw error
    }
  }
}

async function takenError(context: Context, name: string, port: number): Promise<MlvError> {
  const holder = await holderOf(context, port)
  return new MlvError('MLV_PORT_TAKEN', `Port ${port}, which the profile fixes for ${name}, is taken by ${holder}.`, {
    tryThis: [
      `Set ${name}.port to another port, or leave it out: then a free one is taken.`,
      context.command('doctor'),
    ],
  })
}

async function holderOf(context: Context, port: number): Promise<string> {
  const listener = await listenerOf(context, port)
  if (listener === undefined) return 'a process that mlv cannot see'
  if (listener === 'hidden') return "another user's process"
  return `process ${listener.pid} (${shortened(listener.command)})`
}

/** A command line without the end of a word that would not fit. */
function shortened(command: string): string {
  return command.length <= COMMAND_LENGTH ? command : `${command.slice(0, COMMAND_LENGTH).replace(/\S*$/, '')}…`
}

async function freePort(first: number, taken: readonly number[]): Promise<number> {
  if (first > 0 && !taken.includes(first) && (await isFree(first))) return first
  for (;;) {
    const port = await anyPort()
    if (!taken.includes(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
