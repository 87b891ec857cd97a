import {createHash} from 'node:crypto'
import {existsSync, realpathSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {isAbsolute, join} from 'node:path'

import type {Context} from '../../context.js'
import type {ServiceName} from '../../types/target.js'

/** Where everything of a profile lies on this machine. */
export interface Layout {
  readonly root: string
  readonly ports: string
  readonly credentials: string
  readonly data: string
  readonly logs: string
  readonly services: string
  readonly environment: string
  readonly trackingDb: string
  readonly authDb: string
  readonly artifacts: string
  readonly storage: string
  /** Around Ray's own folder: its sockets have names of at most 107 bytes, so it cannot lie below a project's path. */
  readonly rayTemp: string
  record(service: ServiceName): string
  log(service: ServiceName): string
  credential(name: string): string
}

export function layoutOf({environment, profile, projectDir, stateDir}: Context): Layout {
  const data = join(stateDir, 'data')
  const inProject = (path: string) => (isAbsolute(path) || path.includes('://') ? path : join(projectDir, path))
  const {mlflow, storage} = profile.settings
  return {
    root: stateDir,
    ports: join(stateDir, 'ports.json'),
    credentials: join(stateDir, 'credentials'),
    data,
    logs: join(stateDir, 'logs'),
    services: join(stateDir, 'services'),
    environment: join(stateDir, 'environment.json'),
    trackingDb: join(data, 'mlflow.db'),
    authDb: join(data, 'auth.db'),
    artifacts: mlflow.artifacts === undefined ? join(data, 'artifacts') : inProject(mlflow.artifacts),
    storage: storage === undefined ? join(data, 'checkpoints') : inProject(storage),
    rayTemp: join(environment.RAY_TMPDIR ?? shortTemp(), `mlv-${process.getuid?.() ?? 0}-${shortHash(stateDir)}`),
    record: service => join(stateDir, 'services', `${service}.json`),
    log: service => join(stateDir, 'logs', `${service}.log`),
    credential: name => join(stateDir, 'credentials', name),
  }
}

/**
 * The same in every shell: by TMPDIR, which login, cron and editors set differently, a running head would look like
 * another one. Short, too: macOS gives each user a folder whose name alone takes half of what a socket may have.
 */
function shortTemp(): string {
  return existsSync('/tmp') ? realpathSync('/tmp') : realpathSync(tmpdir())
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
