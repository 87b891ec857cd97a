import {readFile} from 'node:fs/promises'

export interface Memory {
  /** What new processes can have without swapping. */
  readonly available: number
  /** What the machine has, or what this container is held to. */
  readonly limit: number
}

/** Linux counts what it can give back as available, and a container is held to less than the machine has. */
export async function availableMemory(machine: {free: number; total: number}): Promise<Memory> {
  const reclaimable = /^MemAvailable:\s+(\d+) kB/m.exec(await text('/proc/meminfo'))?.[1]
  const available = reclaimable === undefined ? machine.free : Number(reclaimable) * 1024
  const limit = Number((await text('/sys/fs/cgroup/memory.max')).trim() || Number.NaN)
  if (!Number.isFinite(limit) || limit >= machine.total) return {available, limit: machine.total}
  const used = Number(await text('/sys/fs/cgroup/memory.current'))
  const cached = Number(/^inactive_file (\d+)/m.exec(await text('/sys/fs/cgroup/memory.stat'))?.[1] ?? 0)
  return {available: Math.min(available, limit - used + cached), limit}
}

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
