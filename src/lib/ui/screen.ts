import type {createLogUpdate} from 'log-update'

/** A part of what is live: asked for its lines each time the frame is drawn. */
export type Pane = (columns: number) => readonly string[]

export interface Screen {
  /** Adds a pane below the ones that are there. */
  open(pane: Pane): void
  /** Takes a pane away and leaves its last lines in the scrollback. */
  close(pane: Pane, last: readonly string[]): Promise<void>
  /** Writes something that stays, above all that is live. */
  above(write: () => void): void
  /** Draws soon; many calls make one frame. */
  refresh(): void
}

export interface ScreenOptions {
  /** How often what moves is drawn anew; 0 where nothing may move. */
  readonly everyMs: number
}

type Updater = ReturnType<typeof createLogUpdate>

/** Puts everything that is live into one frame at the bottom of the terminal, so that two lists never fight for it. */
export function createScreen(stream: NodeJS.WriteStream, {everyMs}: ScreenOptions): Screen {
  const panes: Pane[] = []
  let updater: Updater | undefined
  let loading: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let isPending = false

  const columns = () => stream.columns || 80
  const draw = () => {
    isPending = false
    const lines = panes.flatMap(pane => [...pane(columns())])
    // An empty frame would be an empty line.
    if (lines.length === 0) updater?.clear()
    else updater?.(lines.join('\n'))
  }
  const load = async () => {
    const {createLogUpdate: create} = await import('log-update')
    updater = create(stream)
    draw()
  }
  const start = () => {
    loading ??= load()
    timer ??= setInterval(draw, everyMs > 0 ? everyMs : 1000)
    timer.unref()
  }
  const stop = () => {
    clearInterval(timer)
    timer = undefined
    updater?.clear()
    // Gives the cursor back.
    updater?.done()
  }
  return {
    open(pane) {
      panes.push(pane)
      start()
    },
    async close(pane, last) {
      panes.splice(panes.indexOf(pane), 1)
      await loading
      updater?.clear()
      if (last.length > 0) stream.write(`${last.join('\n')}\n`)
      if (panes.length === 0) stop()
      else draw()
    },
    above(write) {
      updater?.clear()
      write()
      if (panes.length > 0) draw()
    },
    refresh() {
      if (isPending || panes.length === 0) return
      isPending = true
      setImmediate(draw)
    },
  }
}
