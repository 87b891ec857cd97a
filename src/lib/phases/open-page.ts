import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {findRun} from '../jobs/record.js'
import {createMlflowClient, runUrl} from '../mlflow/client.js'
import {resolveTarget} from '../targets/resolve.js'
import type {Connection, Target} from '../types/target.js'
import {mlflowVariables, rayVariables} from './client-variables.js'

export const pages = ['mlflow', 'ray', 'run', 'model', 'experiment'] as const
export type Page = (typeof pages)[number]

const RUN_ID = /^[0-9a-f]{32}$/

export interface OpenOptions {
  readonly context: Context
  readonly page: Page
  /** Of the run, the name of its job, or that of the model or experiment; the last job's run where none is given. */
  readonly id?: string | undefined
  /** Only print the address. */
  readonly print: boolean
  /** Print what a program needs in place of a page. */
  readonly client: boolean
  readonly target?: Target
}

export interface OpenResult {
  readonly url: string
  readonly opened: boolean
}

/** Prints the address of a page, and opens it where there is a browser to open it in. */
export async function openPage(options: OpenOptions): Promise<OpenResult> {
  const {context, print} = options
  const target = options.target ?? (await resolveTarget(context))
  const connection = target.connect(context)
  try {
    if (options.client) return await openForClient(connection, options)
    const url = await addressOf(connection, options)
    context.reporter.result(url)
    const isTunnel = await tellSignIn(context, connection, options.page)
    const opened = !print && (await openBrowser(context, url))
    if (isTunnel && !print) await holdOpen(context)
    return {url, opened}
  } finally {
    await connection.close()
  }
}

async function openForClient(connection: Connection, {context, page, print}: OpenOptions): Promise<OpenResult> {
  if (page !== 'mlflow' && page !== 'ray') {
    throw new MlvError('MLV_USAGE', `--client is for mlflow and ray, not for a ${page}.`, {
      tryThis: [context.command('open mlflow --client'), context.command('open ray --client')],
    })
  }
  const {isTunnel, lines, url} = await (page === 'mlflow' ? mlflowVariables : rayVariables)(connection)
  context.reporter.result(lines.join('\n'))
  if (isTunnel && !print) await holdOpen(context)
  return {url, opened: false}
}

async function openBrowser(context: Context, url: string): Promise<boolean> {
  const opener = browserCommand(context)
  if (!opener) return false
  const {exitCode} = await context.exec.write([opener, url], {reject: false, timeoutMs: 10_000})
  return exitCode === 0 && !context.dryRun
}

/** The address is good for as long as this command runs: Ctrl-C is how a person ends it, and no failure. */
async function holdOpen({reporter, signal}: Context): Promise<void> {
  reporter.note('The address works until you end this command (Ctrl-C).')
  const beat = setInterval(() => undefined, 60_000)
  await new Promise<void>(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), {once: true})
  })
  clearInterval(beat)
}

/**
 * MLflow's pages ask for a name and a password, Ray's for its token: says where they are, never what they are. Returns
 * whether the address ends with this command.
 */
async function tellSignIn({reporter}: Context, connection: Connection, page: Page): Promise<boolean> {
  if (page === 'ray') {
    const {isTunnel = false, tokenCommand, tokenFile} = await connection.ray()
    if (tokenFile) reporter.note(`The page asks for a token; it is in ${tokenFile}.`)
    if (tokenCommand) reporter.note(`The page asks for a token; this prints it:\n  ${tokenCommand}`)
    return isTunnel
  }
  const {isTunnel = false, passwordCommand, passwordFile, username} = await connection.mlflow()
  if (passwordFile) reporter.note(`Sign in as ${username}; the password is in ${passwordFile}.`)
  if (passwordCommand) reporter.note(`Sign in as ${username}; this prints the password:\n  ${passwordCommand}`)
  return isTunnel
}

async function addressOf(connection: Connection, {context, id, page}: OpenOptions): Promise<string> {
  if (page === 'ray') return (await connection.ray()).url
  const endpoint = await connection.mlflow()
  if (page === 'mlflow') return endpoint.url
  const client = createMlflowClient(endpoint, context)
  if (page === 'run') {
    const run = await (id !== undefined && RUN_ID.test(id) ? client.runs.get(id) : findRun(context, client, id))
    return runUrl(endpoint.url, run.experimentId, run.id)
  }
  if (id === undefined) {
    throw new MlvError('MLV_OPEN_UNKNOWN', `Which ${page} to open is not said.`, {
      tryThis: [context.command(`open ${page} NAME`), context.command('open mlflow')],
    })
  }
  const missing = () =>
    new MlvError('MLV_OPEN_UNKNOWN', `MLflow has no ${page} ${JSON.stringify(id)}.`, {
      tryThis: [context.command('open mlflow')],
    })
  if (page === 'model') {
    if (!(await client.registry.get(id))) throw missing()
    return `${endpoint.url}/#/models/${encodeURIComponent(id)}`
  }
  const experiment = await client.experiments.getByName(id)
  if (!experiment) throw missing()
  return `${endpoint.url}/#/experiments/${encodeURIComponent(experiment.id)}`
}

/** The program that opens an address for whoever sits here; undefined over SSH, in CI, without a terminal or display. */
function browserCommand({environment, reporter}: Context): string | undefined {
  if (reporter.mode !== 'terminal' || environment.CI || environment.SSH_CONNECTION || environment.SSH_TTY)
    return undefined
  if (process.platform === 'darwin') return 'open'
  if (environment.WSL_DISTRO_NAME) return 'wslview'
  return environment.DISPLAY || environment.WAYLAND_DISPLAY ? 'xdg-open' : undefined
}
