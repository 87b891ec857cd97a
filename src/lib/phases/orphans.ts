import type {Context} from '../context.js'
import type {Exec} from '../tools/exec.js'
import {processesWithVariable} from '../tools/process-table.js'
import type {Journal} from './journal.js'
import {findInFlight} from './journal-events.js'

/** In the environment of every program that a run starts, so that the next one knows what a killed one left behind. */
const RUN_VARIABLE = 'MLV_RUN'

export function markedExec(exec: Exec, run: string): Exec {
  return {
    read: (argv, options) => exec.read(argv, {...options, env: {[RUN_VARIABLE]: run, ...options?.env}}),
    write: (argv, options) => exec.write(argv, {...options, env: {[RUN_VARIABLE]: run, ...options?.env}}),
  }
}

/**
 * Ends the programs of a run that was killed: they would go on changing what this run is about to change. Services are
 * meant to outlive mlv; they carry MLV_STATE_DIR and are left to their phases.
 */
export async function endOrphans({exec, stateDir}: Context, {earlier}: Journal): Promise<void> {
  const started = earlier.findLast(({event}) => event === 'run-started')
  if (!started || !findInFlight(earlier)) return
  const [ofRun, services] = await Promise.all([
    processesWithVariable(exec, RUN_VARIABLE, started.run),
    processesWithVariable(exec, 'MLV_STATE_DIR', stateDir),
  ])
  const kept = new Set(services.map(({pid}) => pid))
  for (const {pid} of ofRun) if (!kept.has(pid)) end(pid)
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // Gone by itself in the meantime.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
