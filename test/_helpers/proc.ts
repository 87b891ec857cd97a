import {readdir, readFile, readlink} from 'node:fs/promises'

const numbers = async (folder: string) => (await readdir(folder).catch(() => [])).filter(name => /^\d+$/.test(name))

/** Where these processes listen, as `127.0.0.1:8265`. */
export async function listeners(pids: readonly number[]): Promise<readonly string[]> {
  const inodes = new Set<string>()
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`
    const targets = await Promise.all((await numbers(folder)).map(fd => readlink(`${folder}/${fd}`).catch(() => '')))
    for (const target of targets) inodes.add(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')
  }
  const found: string[] = []
  for (const table of ['tcp', 'tcp6']) {
    const lines = (await readFile(`/proc/net/${table}`, 'utf8')).trim().split('\n').slice(1)
    for (const line of lines) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      if (state === '0A' && inodes.has(inode)) found.push(addressOf(local))
    }
  }
  return found
}

/** `0100007F:2049` → `127.0.0.1:8265`. The kernel writes each group of four bytes backwards. */
function addressOf(local: string): string {
  const [host = '', port = ''] = local.split(':')
  const bytes = (host.match(/.{8}/g) ?? []).flatMap(group => [...Buffer.from(group, 'hex')].reverse())
  const isMapped = bytes.length === 16 && bytes.slice(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255'
  const text = bytes.length === 4 || isMapped ? bytes.slice(-4).join('.') : Buffer.from(bytes).toString('hex')
  return `${text}:${Number.parseInt(port, 16)}`
}

// A process that was just forked still shows its parent's arguments.
const LOOKS = 3

/**
 * Reads the argument lists of all processes of this machine as they come; `stop()` gives all that were seen. One that
 * lives for less than a round may be missed.
 */
export function watchArguments(): {stop(): Promise<ReadonlySet<string>>} {
  const seen = new Set<string>()
  const looks = new Map<string, number>()
  let isStopped = false
  const watching = (async () => {
    while (!isStopped) {
      const pids = await numbers('/proc')
      for (const pid of looks.keys()) if (!pids.includes(pid)) looks.delete(pid)
      for (const pid of pids) {
        const before = looks.get(pid) ?? 0
        if (before >= LOOKS) continue
        looks.set(pid, before + 1)
        seen.add((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim())
      }
      await new Promise(resolve => setTimeout(resolve, 25))
    }
  })()
  return {
    async stop() {
      isStopped = true
      await watching
      return seen
    },
  }
}
