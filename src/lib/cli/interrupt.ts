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
  const dispose = () => {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onTerminate)
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  return {signal: controller.signal, dispose}
}
