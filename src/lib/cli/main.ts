import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {run} from '@oclif/core/run'

import type {MlvError} from '../errors.js'
import {nameShell} from '../profile/env.js'
import {commandPrefix, programOf} from './command-prefix.js'
import {isCommandNotFound, unknownCommand} from './not-found.js'
import {errorJson, formatError, toMlvError} from './print-error.js'

/** Hands argv to oclif; what fails before a command runs is shown in the same words as everything else. */
export async function main(argv: readonly string[], url: string): Promise<void> {
  // `2>&1 | head -1` leaves while a setup goes on: that is no reason to leave the work half done.
  process.stderr.on('error', () => undefined)
  nameShell()
  const root = fileURLToPath(new URL('..', url))
  const pjson = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  // So that the examples of `--help` can be pasted where the person is.
  pjson.oclif.bin = programOf(root)
  try {
    await run([...argv], {pjson, root})
  } catch (error) {
    const exit = (error as {oclif?: {exit?: number}}).oclif?.exit
    // `--help` and `--version` end oclif by an exit error with status 0.
    if (exit === 0) return
    const command = commandPrefix(root)
    const known = isCommandNotFound(error) ? await commandMissing(argv, root, command) : toMlvError(error, command)
    process.exitCode = known.exitCode
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorJson(known), null, 2)}\n`)
    else process.stderr.write(formatError(known))
  }
}

/** Loads what only this mistake needs. */
async function commandMissing(
  argv: readonly string[],
  root: string,
  command: (line: string) => string,
): Promise<MlvError> {
  const {Config} = await import('@oclif/core/config')
  return unknownCommand(argv, (await Config.load(root)).commandIDs, command)
}
