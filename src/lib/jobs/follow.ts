import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {MlflowClient} from '../mlflow/client.js'
import type {Run} from '../mlflow/runs.js'
import type {LiveArea} from '../ui/reporter.js'
import {createFollowView} from './follow-view.js'
import {feedLog} from './log-feed.js'
import {type JobOutcome, outcomeOf} from './outcome.js'
import {createLineReader} from './output-lines.js'
import type {JobClient, RayJob} from './ray-client.js'

export interface FollowOptions {
  readonly context: Context
  readonly mlflow: MlflowClient
  readonly ray: JobClient
  readonly run: Run
  readonly name: string
  readonly submissionId: string
  /** How long to follow at most. */
  readonly waitMs?: number | undefined
  /** How long Ray may give no answer before the job counts as out of sight. */
  readonly lostMs?: number
  /** Of what it wrote before, show only so many lines. */
  readonly tail?: number | undefined
  /** False: only wait, show nothing of the job's own. */
  readonly isShown?: boolean
}

/** How long Ray may take to begin before that is an error of its own. */
const START_DEADLINE_MS = 120_000
/** A laptop's sleep or a restarted tunnel is shorter; a head that is dead would be waited for without end. */
const LOST_DEADLINE_MS = 60_000

/** Follows a job to its end. Leaving, by Ctrl-C or by the end of the wait, never touches the job. */
export async function follow(options: FollowOptions): Promise<JobOutcome> {
  const {context, name} = options
  const live = context.reporter.live()
  const past = holdPast(live, options.tail)
  const view = createFollowView(
    options.isShown === false ? {set: none, line: none, close: none} : past.live,
    context.reporter,
  )
  const reader = createLineReader()
  const leave = new AbortController()
  const timers: NodeJS.Timeout[] = []
  const leaveAfter = (ms: number, error: () => MlvError) => {
    const timer = setTimeout(() => leave.abort(error()), ms)
    timers.push(timer)
    return timer
  }
  const lostMs = options.lostMs ?? LOST_DEADLINE_MS
  let lost: NodeJS.Timeout | undefined
  if (options.waitMs !== undefined) leaveAfter(options.waitMs, () => stillRunning(context, name, options.waitMs ?? 0))
  let last: RayJob | undefined
  const startMs = options.ray.startMs ?? START_DEADLINE_MS
  const beginning = leaveAfter(startMs, () => notStarted(context, name, startMs, last?.message))
  const say = (message: string | null) => {
    if (message && options.isShown !== false) live.line(`queued: ${message}`)
  }
  try {
    const job = await feedLog({
      ray: options.ray,
      id: options.submissionId,
      signal: AbortSignal.any([context.signal, leave.signal]),
      onText: text => reader.push(text).forEach(view.show),
      onJob: current => {
        past.show()
        // A cluster of its own takes a while, and says what it waits for.
        if (options.ray.startMs !== undefined && current.message !== last?.message && current.status === 'PENDING')
          say(current.message)
        last = current
        // It has begun: only the person's own wait counts from here.
        if (current.status !== 'PENDING') clearTimeout(beginning)
      },
      onConnection: isLost => {
        live.line(isLost ? 'Connection to Ray lost; trying again.' : 'Connection is back.')
        clearTimeout(lost)
        if (isLost) lost = leaveAfter(lostMs, () => outOfSight(context, name, lostMs))
      },
    })
    reader.end().forEach(view.show)
    past.show()
    live.close()
    return await outcomeOf({...options, job, progress: view.progress})
  } catch (error) {
    if (context.signal.aborted) throw interrupted(context, name)
    throw error
  } finally {
    live.close()
    for (const timer of timers) clearTimeout(timer)
  }
}

function none(): void {}

/** Keeps back the lines of what a job wrote before it is followed, but for the last ones, until they are all there. */
function holdPast(live: LiveArea, tail: number | undefined): {live: LiveArea; show(): void} {
  let held: string[] | undefined = tail === undefined ? undefined : []
  return {
    live: {...live, line: text => (held ? void held.push(text) : live.line(text))},
    show() {
      const lines = held ?? []
      held = undefined
      if (tail) lines.slice(-tail).forEach(live.line)
    },
  }
}

function interrupted({command, signal}: Context, name: string): unknown {
  const {code} = signal.reason as MlvError
  if (code !== 'MLV_INTERRUPTED' && code !== 'MLV_TERMINATED') return signal.reason
  const why = code === 'MLV_TERMINATED' ? 'Asked to end (SIGTERM); stopped following.' : 'Stopped following.'
  return new MlvError(code, `${why} The job ${name} goes on.`, {
    tryThis: [command(`jobs logs ${name} -f`), command(`jobs stop ${name}`)],
  })
}

export function stillRunning({command}: Pick<Context, 'command'>, name: string, waitMs: number): MlvError {
  return new MlvError('MLV_JOB_STILL_RUNNING', `The job ${name} goes on after ${waitMs / 1000} s of waiting.`, {
    tryThis: [command(`jobs wait ${name}`), command(`jobs logs ${name} -f`)],
  })
}

function outOfSight({command}: Pick<Context, 'command'>, name: string, lostMs: number): MlvError {
  return new MlvError(
    'MLV_JOB_OUT_OF_SIGHT',
    `Ray has given no answer for ${lostMs / 1000} s; whether the job ${name} goes on cannot be seen.`,
    {tryThis: [command('status'), command('setup'), command(`jobs wait ${name}`)]},
  )
}

function notStarted({command}: Context, name: string, startMs: number, message: string | null | undefined): MlvError {
  const seconds = startMs / 1000
  return new MlvError('MLV_JOB_NOT_STARTED', `Ray has not started the job ${name} within ${seconds} s.`, {
    details: message ? [message] : [],
    tryThis: [command(`jobs logs ${name} -f`), command('logs ray'), command(`jobs stop ${name}`)],
  })
}
