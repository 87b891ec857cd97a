// The same two programs as mlv starts, started as their manuals say: what mlv's start is compared with.
import {spawn} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as pause} from 'node:timers/promises'
import {freePort} from '../../test/_helpers/free-port.ts'

export async function untilOk(url, headers = {}, limit = 120) {
  for (const deadline = Date.now() + limit * 1000; Date.now() < deadline; await pause(50)) {
    const response = await fetch(url, {headers, signal: AbortSignal.timeout(2000)}).catch(() => undefined)
    if (response?.ok) return
  }
  throw new Error(`${url} did not answer within ${limit} s`)
}

/** Ends every process whose environment carries the marker, then waits until none is left. */
export async function endMarked(marker) {
  const marked = () =>
    readdirSync('/proc').filter(pid => {
      if (!/^\d+$/.test(pid)) return false
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(marker)
      } catch {
        return false
      }
    })
  while (marked().length > 0) {
    for (const pid of marked()) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {}
    }
    await pause(50)
  }
}

/** Starts MLflow with sign-in, waits, then a Ray head, waits; returns the seconds of both together. */
export async function startOneAfterTheOther(python) {
  const folder = mkdtempSync(join(tmpdir(), 'plain-'))
  const marker = `BENCH_MARKER=${randomBytes(8).toString('hex')}`
  const [name, value] = marker.split('=')
  const [mlflowPort, rayPort, gcsPort] = [await freePort(), await freePort(), await freePort()]
  writeFileSync(
    join(folder, 'auth.ini'),
    `[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///${folder}/auth.db\nadmin_username = admin\nadmin_password = a-password-of-20-letters\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n`,
  )
  writeFileSync(join(folder, 'token'), 'a-token-for-this-measurement', {mode: 0o600})
  const env = {
    ...process.env,
    [name]: value,
    MLFLOW_AUTH_ADMIN_PASSWORD: 'a-password-of-20-letters',
    MLFLOW_AUTH_ADMIN_USERNAME: 'admin',
    MLFLOW_AUTH_CONFIG_PATH: join(folder, 'auth.ini'),
    MLFLOW_FLASK_SERVER_SECRET_KEY: 'a-key-for-this-measurement',
    RAY_AUTH_MODE: 'token',
    RAY_AUTH_TOKEN_PATH: join(folder, 'token'),
  }
  const start = args => spawn(python, args, {cwd: folder, detached: true, env, stdio: 'ignore'}).unref()
  try {
    const began = performance.now()
    start([
      '-m',
      'mlflow',
      'server',
      '--app-name',
      'basic-auth',
      '--host',
      '127.0.0.1',
      '--port',
      String(mlflowPort),
      '--workers',
      '2',
      '--backend-store-uri',
      `sqlite:///${folder}/mlflow.db`,
      '--artifacts-destination',
      folder,
    ])
    await untilOk(`http://127.0.0.1:${mlflowPort}/health`)
    start([
      '-m',
      'ray.scripts.scripts',
      'start',
      '--head',
      '--block',
      '--port',
      String(gcsPort),
      '--node-ip-address',
      '127.0.0.1',
      '--dashboard-host',
      '127.0.0.1',
      '--dashboard-port',
      String(rayPort),
      '--ray-client-server-port',
      String(await freePort()),
      '--dashboard-agent-listen-port',
      String(await freePort()),
      '--metrics-export-port',
      String(await freePort()),
      '--temp-dir',
      join(folder, 'r'),
      '--disable-usage-stats',
    ])
    await untilOk(`http://127.0.0.1:${rayPort}/api/version`, {authorization: 'Bearer a-token-for-this-measurement'})
    return (performance.now() - began) / 1000
  } finally {
    await endMarked(marker)
    rmSync(folder, {force: true, recursive: true})
  }
}
