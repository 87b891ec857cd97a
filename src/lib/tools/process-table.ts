import {readdir, readFile} from 'node:fs/promises'

import type {Exec} from './exec.js'

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in the words of the system: only ever compared. */
  readonly started: string
}

export interface FoundProcess {
  readonly pid: number
  readonly command: string
}

/** When the process of this number started; undefined where none lives (a zombie does not). */
export async function startOfProcess(exec: Exec, pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return startOnLinux(pid)
  const {exitCode, stdout} = await exec.read(['ps', '-o', 'state=,lstart=', '-p', String(pid)], {reject: false})
  const [state = '', ...started] = stdout.trim().split(/\s+/)
  return exitCode !== 0 || state === '' || state.startsWith('Z') ? undefined : started.join(' ')
}

/** Whether exactly this process still lives, not another one that was given its number. */
export async function isAlive(exec: Exec, identity: ProcessIdentity): Promise<boolean> {
  return (await startOfProcess(exec, identity.pid)) === identity.started
}

/** The living processes of this user that carry `name=value` in their environment: ours, whoever their parent is. */
export async function processesWithVariable(exec: Exec, name: string, value: string): Promise<FoundProcess[]> {
  const wanted = `${name}=${value}`
  if (process.platform !== 'linux') return onOtherSystems(exec, wanted)
  const pids = (await readdir('/proc')).filter(entry => /^\d+$/.test(entry)).map(Number)
  const found = await Promise.all(
    pids.map(async pid => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      if (!environment.split('\0').includes(wanted)) return []
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return [{pid, command: command.replaceAll('\0', ' ').trim()}]
    }),
  )
  return found.flat().filter(({pid}) => pid !== process.pid)
}

async function startOnLinux(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The command's name stands in parentheses and may hold anything; what follows the last one is plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = ''] = fields
  if ('ZX'.includes(state)) return undefined
  // Field 22 counts clock ticks since boot, so a reboot has to be told apart too.
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  return `${boot.trim()}:${fields[19]}`
}

async function onOtherSystems(exec: Exec, wanted: string): Promise<FoundProcess[]> {
  const {stdout} = await exec.read(['ps', '-axwwE', '-o', 'pid=,command='], {reject: false})
  return stdout
    .split('\n')
    .filter(line => `${line} `.includes(` ${wanted} `))
    .map(line => {
      const [, pid = '0', command = ''] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? []
      return {pid: Number(pid), command: command.split(' ').slice(0, 8).join(' ')}
    })
    .filter(({pid}) => pid > 0 && pid !== process.pid)
}

/** A variable in the environment that a process of this user was started with. */
export async function variableOf(exec: Exec, pid: number, name: string): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    const entry = environment.split('\0').find(line => line.startsWith(`${name}=`))
    return entry?.slice(name.length + 1)
  }
  const {stdout} = await exec.read(['ps', '-wwE', '-o', 'command=', '-p', String(pid)], {reject: false})
  return new RegExp(` ${name}=(\\S*)`).exec(stdout)?.[1]
}

export async function parentOf(exec: Exec, pid: number): Promise<number | undefined> {
  const {exitCode, stdout} = await exec.read(['ps', '-o', 'ppid=', '-p', String(pid)], {reject: false})
  return exitCode === 0 ? Number(stdout.trim()) : undefined
}
