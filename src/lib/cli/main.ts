import {run} from '@oclif/core/run'

import type {MlvError} from '../errors.js'
import {nameShell} from '../profile/env.js'
import {isCommandNotFound, unknownCommand} from './not-found.js'
import {errorJson, formatError, toMlvError} from './print-error.js'

/** Hands argv to oclif; what fails before a command runs is shown in the same words as everything else. */
export async function main(argv: readonly string[], url: string): Promise<void> {
  // `2>&1 | head -1` leaves while a setup goes on: that is no reason to leave the work half done.
  process.stderr.on('error', () => undefined)
  nameShell()
  try {
    await run([...argv], url)
  } catch (error) {
    const exit = (error as {oclif?: {exit?: number}}).oclif?.exit
    // `--help` and `--version` end oclif by an exit error with status 0.
    if (exit === 0) return
    const known = isCommandNotFound(error) ? await commandMissing(argv, url) : toMlvError(error, line => `mlv ${line}`)
    process.exitCode = known.exitCode
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorJson(known), null, 2)}\n`)
    else process.stderr.write(formatError(known))
  }
}

/** Loads what only this mistake needs. */
async function commandMissing(argv: readonly string[], url: string): Promise<MlvError> {
  const [{Config}, {commandPrefix}] = await Promise.all([import('@oclif/core/config'), import('./context-factory.js')])
  const config = await Config.load(url)
  return unknownCommand(argv, config.commandIDs, commandPrefix(config.root))
}
