import {randomBytes} from 'node:crypto'
import {mkdir, open, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {MlvError} from '../../errors.js'
import {diskSpace, LEAST_FREE_BYTES} from '../../tools/disk-space.js'
import type {Canary} from '../canary.js'

const PROBE_BYTES = 4 * 1024 * 1024

/** What is written where the state lives comes back, and there is room for more. */
export const disk: Canary = {
  id: 'disk',
  title: 'The disk of the state takes what is written',
  scope: 'core',
  deadlineSeconds: 60,
  async run({context, name, traces}) {
    const file = join(context.stateDir, `${name}.probe`)
    traces.add(`the file ${file}`, () => rm(file, {force: true}))
    await mkdir(context.stateDir, {recursive: true, mode: 0o700})
    const written = randomBytes(PROBE_BYTES)
    const began = performance.now()
    const handle = await open(file, 'wx+', 0o600)
    try {
      await handle.writeFile(written)
      await handle.sync()
      const back = Buffer.alloc(PROBE_BYTES)
      await handle.read(back, 0, PROBE_BYTES, 0)
      if (!back.equals(written)) {
        throw new MlvError('MLV_VERIFY_CANARY', `${context.stateDir} gives back other bytes than were written.`, {
          tryThis: [`df -h ${JSON.stringify(context.stateDir)}`],
        })
      }
    } finally {
      await handle.close()
    }
    const milliseconds = Math.round(performance.now() - began)
    const {free} = await diskSpace(context.stateDir)
    if (free < LEAST_FREE_BYTES) {
      throw new MlvError(
        'MLV_VERIFY_CANARY',
        `the disk of ${context.stateDir} has ${gibibytes(free)} free; a run needs ${gibibytes(LEAST_FREE_BYTES)}.`,
        {tryThis: [`df -h ${JSON.stringify(context.stateDir)}`]},
      )
    }
    return `4 MiB written, synced and read in ${milliseconds} ms, ${gibibytes(free)} free`
  },
}

function gibibytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}
