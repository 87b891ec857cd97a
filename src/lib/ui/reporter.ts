import type {Symbols} from './symbols.js'

/** How library code talks to whoever watches. It never prints itself; only the implementations in ui/ know a terminal. */
export interface Reporter {
  readonly mode: 'terminal' | 'plain' | 'silent'
  /** For results that draw something. */
  readonly symbols: Symbols
  /** Something worth a line (stderr). */
  note(message: string): void
  /** Something that may be wrong (stderr). */
  warn(message: string): void
  /** The command's result for people (stdout); silent under `--json`, where the returned value is the result. */
  result(text: string): void
  /** A list of tasks that run, perhaps several at once. */
  tasks(options?: BoardOptions): TaskBoard
  /** One live line or block at the bottom of the terminal; without a terminal each call may become a line. */
  live(): LiveArea
}

export interface BoardOptions {
  /** The last line of the live list, asked for each time it is drawn; nothing where it is empty. */
  footer?(): string
}

export interface TaskOptions {
  /** What it will do, shown beside the title until there is something better to show. */
  readonly summary?: string
  /** How long it took before; shown while it runs. */
  readonly usualMs?: number
}

export interface TaskBoard {
  /** Adds a task that waits; `start` makes it run. */
  add(title: string, options?: TaskOptions): Task
  /** Returns when everything shown is final and the cursor is back. */
  close(): Promise<void>
}

export interface Task {
  start(): void
  /** What it does from now on, in the -ing form; a line of its own without a terminal. */
  stage(title: string): void
  /** A short line beside or under the title, in place of the one before. */
  update(detail: string): void
  succeed(detail?: string): void
  skip(why: string): void
  fail(why: string): void
}

export interface LiveArea {
  /** Replaces what is shown, asked for again with each width. Without a terminal nothing is shown. */
  set(text: string | ((columns: number) => string)): void
  /** A line that stays, above what is live. */
  line(text: string): void
  close(): void
}
