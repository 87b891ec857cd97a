import {EVENT_PREFIX, type JobEvent, jobEventSchema} from '../types/job.js'

export type OutputLine =
  | {readonly kind: 'event'; readonly event: JobEvent}
  | {readonly kind: 'text'; readonly text: string}

/** Cuts a stream of text, in whatever pieces it comes, into lines and tells events from the person's own output. */
export interface LineReader {
  push(text: string): OutputLine[]
  /** The last line, where it had no end. */
  end(): OutputLine[]
}

/** What Ray itself writes into a job's log before the job begins. */
const ofRay = [/^Running entrypoint for job /, /INFO job_manager\.py:\d+ -- Runtime env is setting up\.$/]

export function createLineReader(): LineReader {
  let rest = ''
  return {
    push(text) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      return lines.flatMap(readLine)
    },
    end() {
      const last = rest
      rest = ''
      return last === '' ? [] : readLine(last)
    },
  }
}

function readLine(text: string): OutputLine[] {
  if (ofRay.some(pattern => pattern.test(text))) return []
  const event = text.startsWith(EVENT_PREFIX) ? parseEvent(text.slice(EVENT_PREFIX.length)) : undefined
  return [event ? {kind: 'event', event} : {kind: 'text', text}]
}

/** A line that only looks like an event is the person's own. */
function parseEvent(text: string): JobEvent | undefined {
  try {
    return jobEventSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
