import type {Context} from '../../context.js'
import type {MlvError} from '../../errors.js'

export const groups = ['Tools', 'Machine', 'Network', 'Platform'] as const

/** `bad` keeps mlv from working, `warning` will bite in some case, `note` is only good to know. */
export type FindingState = 'good' | 'note' | 'warning' | 'bad'

export interface Finding {
  readonly state: FindingState
  readonly found: string
  /** Commands or short sentences that mend it. */
  readonly fix?: readonly string[]
}

/** What the checks look at. */
export interface Patient {
  readonly context: Context
  /** Why the profile could not be read; the built-in one stands in for it then. */
  readonly problem: MlvError | undefined
}

/** Looks at one thing without changing it. */
export interface Check {
  readonly id: string
  readonly title: string
  readonly group: (typeof groups)[number]
  look(patient: Patient): Promise<Finding>
  /** Whether it says anything for this profile; it does by default. */
  isWanted?(patient: Patient): Promise<boolean>
  /** Mends what `look` found where nothing can be lost by it; says what was done, nothing where there was nothing. */
  mend?(patient: Patient): Promise<string | undefined>
}

export interface CheckResult {
  readonly id: string
  readonly group: string
  readonly title: string
  readonly state: FindingState
  readonly found: string
  readonly fix: readonly string[]
  /** What `--fix` did here. */
  readonly mended: string | null
}

export interface DoctorResult {
  readonly profile: string
  readonly good: number
  readonly warnings: number
  readonly bad: number
  readonly checks: readonly CheckResult[]
}
