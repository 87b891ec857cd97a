import {type ChildProcess, spawn} from 'node:child_process'
import {mkdir, mkdtemp, readdir, readFile, realpath, rm} from 'node:fs/promises'
import {homedir, tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const node = join(root, 'node_modules/node/bin/node')
export const bin = join(root, 'bin/mlv.js')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
}

export interface Journey {
  readonly folder: string
  readonly stateDir: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Runs the built mlv to its end, without a terminal. */
  mlv(...argv: string[]): Promise<Ended>
  /** Starts it and leaves it running. */
  start(...argv: string[]): ChildProcess
  /** The processes that carry this project's state folder in their environment. */
  processes(): Promise<readonly {pid: number; command: string}[]>
  /** Ends what is left of the project by process id, and removes its folder. */
  end(): Promise<void>
}

/**
 * A person's own world: a project folder with spaces and Korean letters, a HOME and mlv folders of its own, no
 * terminal, LANG=C. Only the caches are shared between journeys, so that the Python environment is made once.
 */
export async function startJourney(name = '프로젝트 one'): Promise<Journey> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'mlv-e2e-')))
  const folder = join(base, name)
  await mkdir(folder)
  await mkdir(join(base, 'home'))
  const stateDir = join(folder, '.mlv', 'local')
  const inherited = Object.entries(process.env).filter(
    ([key]) => !/^(MLV_|MLFLOW_|RAY_|AWS_|PG[A-Z]|XDG_|LC_|VITEST)/.test(key),
  )
  const environment = {
    ...Object.fromEntries(inherited),
    HOME: join(base, 'home'),
    LANG: 'C',
    MLV_CACHE_DIR: process.env.MLV_TEST_CACHE_DIR ?? join(root, 'build', 'test-cache'),
    // The wheels are there already for the development environment, and both link to them: half of the disk, no download.
    UV_CACHE_DIR: process.env.UV_CACHE_DIR ?? join(homedir(), '.cache', 'uv'),
    MLV_CONFIG_DIR: join(base, 'home', 'config'),
    MLV_DATA_DIR: process.env.MLV_TEST_DATA_DIR ?? join(root, 'build', 'test-data'),
  }
  const start = (...argv: string[]) =>
    spawn(node, [bin, ...argv], {cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe']})
  const processes = () => processesOf(stateDir)
  return {
    folder,
    stateDir,
    environment,
    start,
    processes,
    mlv: (...argv) => ended(start(...argv)),
    async end() {
      const deadline = Date.now() + 20_000
      for (let left = await processes(); left.length > 0 && Date.now() < deadline; left = await processes()) {
        for (const {pid} of left) kill(pid)
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      await rm(base, {force: true, recursive: true})
    },
  }
}

/** Waits for the end of a mlv that was started. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const began = performance.now()
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const code = await new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject))
  return {code, stdout, stderr, seconds: (performance.now() - began) / 1000}
}

async function processesOf(stateDir: string): Promise<readonly {pid: number; command: string}[]> {
  const pids = (await readdir('/proc')).filter(entry => /^\d+$/.test(entry))
  const found = await Promise.all(
    pids.map(async pid => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      if (!environment.split('\0').includes(`MLV_STATE_DIR=${stateDir}`)) return []
      // A zombie has ended and only waits for its parent to notice.
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      if (/^\) Z/.test(stat.slice(stat.lastIndexOf(')')))) return []
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return [{pid: Number(pid), command: command.replaceAll('\0', ' ').trim()}]
    }),
  )
  return found.flat()
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
