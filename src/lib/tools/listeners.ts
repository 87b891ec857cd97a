import {readdir, readFile, readlink} from 'node:fs/promises'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'

export interface Listener {
  readonly pid: number
  readonly command: string
}

const LSOF_DEADLINE_MS = 10_000
const LISTEN = '0A'

/** Who listens on a TCP port of this machine; `'hidden'` is a process of somebody else. */
export async function listenerOf(context: Context, port: number): Promise<Listener | 'hidden' | undefined> {
  return process.platform === 'linux' ? onLinux(port) : withLsof(context, port)
}

async function onLinux(port: number): Promise<Listener | 'hidden' | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map(file => readFile(file, 'utf8').catch(() => '')),
  )
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = tables
    .flatMap(table => table.split('\n').slice(1))
    .map(line => line.trim().split(/\s+/))
    .filter(fields => fields[1]?.endsWith(wanted) && fields[3] === LISTEN)
    .map(fields => `socket:[${fields[9]}]`)
  if (inodes.length === 0) return undefined
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  for (const pid of pids) {
    const open = await readdir(`/proc/${pid}/fd`).catch(() => [])
    const links = await Promise.all(open.map(fd => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))
    if (!links.some(link => inodes.includes(link))) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return {pid: Number(pid), command: command.replaceAll('\0', ' ').trim()}
  }
  return 'hidden'
}

async function withLsof(context: Context, port: number): Promise<Listener | 'hidden' | undefined> {
  try {
    const argv = ['lsof', '-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'] as const
    const {stdout} = await context.exec.read(argv, {reject: false, timeoutMs: LSOF_DEADLINE_MS})
    const pid = /^p(\d+)$/m.exec(stdout)?.[1]
    return pid === undefined ? undefined : {pid: Number(pid), command: /^c(.*)$/m.exec(stdout)?.[1] ?? ''}
  } catch (error) {
    if (error instanceof MlvError) return undefined
    throw error
  }
}
