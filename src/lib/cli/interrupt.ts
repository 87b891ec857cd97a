import {MlvError} from '../errors.js'

export interface Interrupt {
  readonly signal: AbortSignal
  dispose(): void
}

const SHOW_CURSOR = '\u001B[?25h'

/**
 * Turns the first Ctrl-C or SIGTERM into an abort that everything below unwinds from. A second Ctrl-C ends mlv at
 * once: what it had started is named by the next run.
 */
export function listenForInterrupts(stderr: NodeJS.WriteStream): Interrupt {
  const controller = new AbortController()
  const onInterrupt = () => {
    if (!controller.signal.aborted) {
      controller.abort(new MlvError('MLV_INTERRUPTED', 'Interrupted.'))
      return
    }
    if (stderr.isTTY) stderr.write(SHOW_CURSOR)
    dispose()
    process.kill(process.pid, 'SIGINT')
  }
  const onTerminate = () => controller.abort(new MlvError('MLV_TERMINATED', 'Asked to end (SIGTERM).'))
  // Under bin/restart.js the mlv that was started hears of a Ctrl-C as well as this one, and tells of it: as often as the
  // one of the two heard it that heard more.
  const heard = {own: 0, parent: 0, told: 0}
  const count = (whose: 'own' | 'parent') => {
    heard[whose] += 1
    if (heard[whose] <= heard.told) return
    heard.told += 1
    onInterrupt()
  }
  const onOwn = () => count('own')
  const onMessage = (message: unknown) => {
    if (message === 'SIGINT') count('parent')
  }
  const dispose = () => {
    process.off('SIGINT', onOwn)
    process.off('SIGTERM', onTerminate)
    process.off('message', onMessage)
    process.off('disconnect', onTerminate)
  }
  process.on('SIGINT', onOwn)
  process.on('SIGTERM', onTerminate)
  if (process.channel) {
    process.on('message', onMessage)
    process.on('disconnect', onTerminate)
    process.channel.unref()
  }
  return {signal: controller.signal, dispose}
}
