import {type ChildProcess, spawn} from 'node:child_process'
import {createInterface} from 'node:readline'

import type {Environment} from '../profile/env.js'

export interface Background {
  /** Settles when the program has ended, with what it wrote to its error stream last. */
  readonly ended: Promise<{readonly exitCode: number; readonly stderr: string}>
  /** Resolves with the first line of output that matches; undefined when the program ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray | undefined>
  stop(): void
}

const KEPT_BYTES = 8192

// Stands between mlv and the program: when mlv is gone, however it went, its end of the pipe closes and the program goes.
const LEASH = `
const {spawn} = require('node:child_process')
const [file, ...args] = process.argv.slice(1)
const child = spawn(file, args, {stdio: ['ignore', 'inherit', 'inherit']})
child.on('error', error => { process.stderr.write(error.message); process.exit(127) })
child.on('exit', code => process.exit(code === null ? 1 : code))
process.stdin.on('end', () => child.kill()).on('error', () => child.kill()).resume()
`

/** Starts a program that runs beside mlv and never outlives it, not even when mlv is killed. */
export function startBackground(argv: readonly string[], environment: Environment): Background {
  const child: ChildProcess = spawn(process.execPath, ['-e', LEASH, '--', ...argv], {
    // A group of its own: the terminal's Ctrl-C is mlv's to handle.
    detached: true,
    env: {...environment, NODE_OPTIONS: undefined},
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr = (stderr + text).slice(-KEPT_BYTES)
  })
  child.stdin?.on('error', () => undefined)
  const lines = child.stdout && createInterface({input: child.stdout})
  const ended = new Promise<{exitCode: number; stderr: string}>(resolve => {
    child.on('error', error => resolve({exitCode: 127, stderr: error.message}))
    child.on('close', code => resolve({exitCode: code ?? 1, stderr}))
  })
  return {
    ended,
    line: pattern =>
      Promise.race([
        ended.then(() => undefined),
        new Promise<RegExpExecArray>(resolve => {
          lines?.on('line', line => {
            const match = pattern.exec(line)
            if (match) resolve(match)
          })
        }),
      ]),
    stop: () => void child.stdin?.end(),
  }
}
