/** Exit codes that scripts may rely on. */
export const exitCodes = {
  good: 0,
  failed: 1,
  usage: 2,
  overBudget: 10,
  verifyFailed: 11,
  leftovers: 12,
  locked: 13,
  stillRunning: 69,
  bug: 70,
  jobFailed: 100,
  jobStopped: 101,
  interrupted: 130,
  terminated: 143,
} as const

export interface ErrorCodeInfo {
  readonly exit: number
  /** One sentence, present tense: what is the case when this is raised. */
  readonly meaning: string
  /** What helps, most likely first, for `mlv explain`; a command of mlv stands in backquotes. */
  readonly remedies?: readonly string[]
}
