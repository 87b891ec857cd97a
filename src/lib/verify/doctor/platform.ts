import {chmod, readdir, readFile, stat} from 'node:fs/promises'
import {join, relative} from 'node:path'
import {z} from 'zod'

import {MlvError} from '../../errors.js'
import {resolveTarget} from '../../targets/resolve.js'
import {listenerOf} from '../../tools/listeners.js'
import {processesWithVariable} from '../../tools/process-table.js'
import type {ServiceName} from '../../types/target.js'
import type {Check, Finding, Patient} from './check.js'

export const platformChecks: readonly Check[] = [
  {id: 'settings', title: 'Settings', group: 'Platform', look: async patient => lookAtSettings(patient)},
  {id: 'state-folder', title: 'State folder', group: 'Platform', look: lookAtStateFolder, mend: closeStateFolder},
  {id: 'ports', title: 'Ports', group: 'Platform', look: lookAtPorts},
  {id: 'mlflow', title: 'MLflow', group: 'Platform', look: patient => lookAtService(patient, 'mlflow')},
  {id: 'ray', title: 'Ray', group: 'Platform', look: patient => lookAtService(patient, 'ray')},
]

function lookAtSettings({context: {profile}, problem}: Patient): Finding {
  if (problem !== undefined) {
    return {state: 'bad', found: problem.message, fix: problem.tryThis}
  }
  const source = profile.file === undefined ? 'built in' : profile.file
  return {state: 'good', found: `profile ${profile.name} (${source})`}
}

/** Who else may read passwords, keys and data. */
async function lookAtStateFolder({context}: Patient): Promise<Finding> {
  const {stateDir} = context
  const own = await stat(stateDir).catch(() => undefined)
  if (own === undefined)
    return {state: 'note', found: `${stateDir} does not exist yet`, fix: [context.command('setup')]}
  if (!own.isDirectory()) {
    return {
      state: 'bad',
      found: `${stateDir} is not a folder`,
      fix: [`mv ${quoted(stateDir)} ${quoted(`${stateDir}.aside`)}`],
    }
  }
  const open: string[] = []
  if ((own.mode & 0o077) !== 0) open.push(stateDir)
  for (const name of await readdir(join(stateDir, 'credentials')).catch(() => [])) {
    const file = join(stateDir, 'credentials', name)
    if (((await stat(file)).mode & 0o077) !== 0) open.push(file)
  }
  if (open.length === 0) return {state: 'good', found: `${stateDir}, for you alone`}
  return {
    state: 'bad',
    found: `others on this machine may read ${open.map(path => relative(context.projectDir, path) || path).join(', ')}`,
    fix: [`chmod -R go-rwx ${quoted(stateDir)}`],
  }
}

/** Takes from others what is no business of theirs; the folders of data below are reached through the first one alone. */
async function closeStateFolder({context: {stateDir}}: Patient): Promise<string | undefined> {
  const folder = join(stateDir, 'credentials')
  const paths = [stateDir, folder, ...(await readdir(folder).catch(() => [])).map(name => join(folder, name))]
  let closed = 0
  for (const path of paths) {
    const mode = (await stat(path).catch(() => undefined))?.mode ?? 0
    if ((mode & 0o077) === 0) continue
    await chmod(path, mode & 0o700)
    closed += 1
  }
  return closed === 0 ? undefined : `others may no longer read ${closed} of its files and folders`
}

/** The ports of the profile, or those that setup tries first, and who listens on them. */
async function lookAtPorts({context}: Patient): Promise<Finding> {
  const {mlflow, ray} = context.profile.settings
  const kept = await readPorts(join(context.stateDir, 'ports.json'))
  const wanted = new Map([
    ...Object.entries({mlflow: mlflow.port ?? kept.mlflow ?? 5000, ray: ray.port ?? kept.ray ?? 8265}),
    ...Object.entries(kept),
  ])
  const seen = await Promise.all(
    [...wanted].map(async ([name, port]) => ({name, port, listener: await listenerOf(context, port)})),
  )
  const ours = new Set(
    (await processesWithVariable(context.exec, 'MLV_STATE_DIR', context.stateDir)).map(({pid}) => pid),
  )
  const parts = seen.map(({listener, name, port}) => {
    if (listener === undefined) return {text: `${port} (${name}) is free`, foreign: false}
    if (listener === 'hidden') return {text: `${port} (${name}) is taken by another user's process`, foreign: true}
    const isOurs = ours.has(listener.pid)
    const who = isOurs ? 'ours' : `process ${listener.pid}, ${listener.command.slice(0, 60)}`
    return {text: `${port} (${name}): ${who}`, foreign: !isOurs}
  })
  const found = parts.map(({text}) => text).join('; ')
  if (!parts.some(({foreign}) => foreign)) return {state: 'good', found}
  return {
    state: 'note',
    found: `${found}; setup takes a free port in place of a taken one that the profile does not fix`,
    fix: ['To fix another one: set mlflow.port or ray.port in mlv.yaml.'],
  }
}

const portsSchema = z.record(z.string(), z.union([z.int(), z.unknown().transform(() => undefined)]))

async function readPorts(path: string): Promise<Record<string, number>> {
  try {
    const ports = portsSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    return Object.fromEntries(Object.entries(ports).flatMap(([name, port]) => (port ? [[name, port]] : [])))
  } catch {
    return {}
  }
}

async function lookAtService({context}: Patient, name: ServiceName): Promise<Finding> {
  const target = await resolveTarget(context)
  const connection = target.connect(context)
  try {
    return {state: 'good', found: `answers at ${(await connection[name]()).url}`}
  } catch (error) {
    if (!(error instanceof MlvError) || context.signal.aborted) throw error
    return {state: 'note', found: error.message, fix: error.tryThis}
  } finally {
    await connection.close()
  }
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
