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

/** What each says, as the end of "exit code 13: …". */
export const exitMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  good: 'all is well',
  failed: 'it failed; `status --exit-code`: something is missing or has drifted',
  usage: 'the command line or a settings file is wrong',
  overBudget: 'it would cost more than the budget',
  verifyFailed: 'a canary of verify failed',
  leftovers: 'teardown could not remove everything',
  locked: 'somebody else is changing the profile',
  stillRunning: 'the wait ran out; the message has the command that resumes it',
  bug: 'a bug in mlv',
  jobFailed: 'the job ran and failed',
  jobStopped: 'the job was stopped',
  interrupted: 'interrupted; a job that was followed goes on',
  terminated: 'asked to end by SIGTERM; a job that was followed goes on',
}

export interface ErrorCodeInfo {
  readonly exit: number
  /** One sentence, present tense: what is the case when this is raised. */
  readonly meaning: string
  /** What helps, most likely first, for `mlv explain`; a command of mlv stands in backquotes. */
  readonly remedies?: readonly string[]
}
