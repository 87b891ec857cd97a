import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

/** Starts mlv again under the Node that a checkout brings; says so in one line where there is none. */
export async function restart(argv) {
  const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))
  if (!existsSync(node)) {
    process.stderr.write(
      `mlv needs Node 22.22 or newer; this is ${process.versions.node}. Try this: npm install -g n && n 24\n`,
    )
    process.exitCode = 1
    return
  }
  const child = spawn(node, [fileURLToPath(new URL('./mlv.js', import.meta.url)), ...argv], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  // A terminal sends its Ctrl-C to both, `kill` only to this one: the child counts, and takes neither twice. When this
  // one is killed the channel closes, and the child ends.
  process.on('SIGINT', () => child.connected && child.send('SIGINT', () => undefined))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code, signal] = await new Promise(resolve => child.on('exit', (...end) => resolve(end)))
  process.removeAllListeners('SIGINT')
  process.removeAllListeners('SIGTERM')
  if (signal) process.kill(process.pid, signal)
  process.exitCode = code ?? 1
}
