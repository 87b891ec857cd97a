import {open} from 'node:fs/promises'
import {setTimeout as pause} from 'node:timers/promises'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import type {ServiceName} from '../../types/target.js'
import {layoutOf} from './layout.js'

// Enough for any --tail that a person asks for, and never the whole of a log of weeks.
const TAIL_BYTES = 4 * 1024 * 1024

/** The last lines of a service's log, then what comes. */
export async function* readLog(
  context: Context,
  service: ServiceName,
  {follow, tail}: {follow: boolean; tail: number},
): AsyncGenerator<string> {
  const path = layoutOf(context).log(service)
  const file = await open(path, 'r').catch(() => {
    throw new MlvError('MLV_NOT_RUNNING', `There is no log of ${service} yet.`, {tryThis: [context.command('setup')]})
  })
  try {
    let {size: position} = await file.stat()
    const begin = Math.max(0, position - TAIL_BYTES)
    const first = Buffer.alloc(position - begin)
    await file.read(first, 0, first.length, begin)
    const lines = first.toString('utf8').split('\n')
    let rest = lines.pop() ?? ''
    yield* tail > 0 ? lines.slice(-tail) : []
    while (follow) {
      context.signal.throwIfAborted()
      const {size} = await file.stat()
      if (size <= position) {
        await pause(200, undefined, {signal: context.signal}).catch(() => undefined)
        continue
      }
      const chunk = Buffer.alloc(size - position)
      await file.read(chunk, 0, chunk.length, position)
      position = size
      const fresh = `${rest}${chunk.toString('utf8')}`.split('\n')
      rest = fresh.pop() ?? ''
      yield* fresh
    }
    if (rest !== '') yield rest
  } finally {
    await file.close()
  }
}
