import {spawn} from 'node:child_process'

import type {Environment} from '../profile/env.js'
import {Secret} from './secret.js'

export interface Launch {
  readonly argv: readonly [string, ...string[]]
  readonly cwd: string
  readonly environment: Environment
  readonly env: Readonly<Record<string, string | Secret | undefined>>
}

/** Starts a program that outlives mlv, in a session of its own and tied to no stream of ours. */
export function launchDetached({argv: [file, ...args], cwd, env, environment}: Launch): void {
  const revealed = Object.entries(env).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value])
  const child = spawn(file, args, {
    cwd,
    detached: true,
    env: {...environment, ...Object.fromEntries(revealed)},
    stdio: 'ignore',
  })
  // A program that is not there shows as a service that never answers; the wait for it says so.
  child.on('error', () => undefined)
  child.unref()
}
