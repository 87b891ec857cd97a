import type {Context} from '../context.js'

/** The same on each target; the number is the order in which people read them, `needs` the order in which they run. */
export const phaseIds = [
  '01-prepare',
  '02-cluster',
  '03-mlflow',
  '04-users',
  '05-connection',
  '06-verify',
  '07-ray',
  '08-airflow',
] as const

export type PhaseId = (typeof phaseIds)[number]

export type PhaseState =
  | {readonly kind: 'absent'}
  | {readonly kind: 'drifted'; readonly why: string}
  | {readonly kind: 'ready'; readonly detail?: string}

/** What a step tells while it runs. */
export interface StepProgress {
  /** One short line in place of the one before. */
  update(detail: string): void
}

/** One thing that changes the world. Can be run again after it was cut off anywhere. */
export interface Step {
  /** Stable within its phase: the journal's key. */
  readonly id: string
  /** In the -ing form; shown while the step runs. */
  readonly title: string
  /** What `--dry-run` prints: argv lists or sentences, exactly as they would be run. */
  readonly plan?: readonly string[]
  run(progress: StepProgress): Promise<void>
}

export interface DestroyOptions {
  readonly deleteData: boolean
}

/** Something that teardown leaves on purpose. */
export interface Kept {
  readonly what: string
  readonly where: string
  readonly bytes?: number
  /** US dollars a month; 0 on this machine, absent where only its owner knows. */
  readonly monthlyPrice?: number
}

/** Only looks in `status`; everything that changes the world is a step. */
export interface Phase {
  readonly id: PhaseId
  readonly needs: readonly PhaseId[]
  /** Imperative, no full stop: "Start the MLflow server". */
  readonly summary: string
  status(context: Context): Promise<PhaseState>
  apply(context: Context): Promise<readonly Step[]>
  destroy(context: Context, options: DestroyOptions): Promise<readonly Step[]>
  /** What `destroy` leaves behind on purpose; with `deleteData` only what is not ours to delete. */
  kept?(context: Context, options: DestroyOptions): Promise<readonly Kept[]>
}
