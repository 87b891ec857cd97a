import type {Context} from '../context.js'
import {SERVICE_TITLES} from '../types/target.js'
import {formatBytes, formatDuration} from '../ui/duration.js'
import {formatTable} from '../ui/table.js'
import {pad} from '../ui/text-width.js'
import {resultTheme, type Theme} from '../ui/theme.js'
import type {ServiceAddress} from './services.js'
import type {SetupResult} from './setup.js'
import type {StatusPhase, StatusResult} from './status.js'
import type {TeardownResult} from './teardown.js'

/** The end of a setup: one headline, the addresses it made, what to type next. */
export function formatSetup({command, environment, profile}: Context, result: SetupResult): string {
  const theme = resultTheme(environment)
  if (result.outcome === 'planned') return formatPlan(theme, result.phases, 'Nothing was changed. Setup would do this:')
  const time = formatDuration(result.seconds * 1000)
  const isWhole = result.services.every(({url}) => url !== null)
  const what = isWhole ? profile.name : `What was asked for of ${profile.name}`
  const headline =
    result.outcome === 'unchanged'
      ? `${what} is ready; there was nothing to do (${time}).`
      : `${what} is ready after ${time}.`
  return [
    theme.strong(`${theme.good(theme.symbols.done)} ${headline}`),
    '',
    ...formatServices(theme, result.services),
    '',
    theme.strong('Next steps:'),
    ...(isWhole ? ['train digits', 'open mlflow', 'status'] : ['setup', 'status']).map(line => `  ${command(line)}`),
  ].join('\n')
}

/** The phases in a table, the addresses, the disk. */
export function formatStatus({command, environment}: Context, result: StatusResult): string {
  const theme = resultTheme(environment)
  const style = (text: string, row: number, column: number) =>
    column === 1 ? stateStyle(theme, result.phases[row]?.state)(text) : column === 2 ? theme.dim(text) : text
  const table = formatTable(
    [{title: 'Phase'}, {title: 'State'}, {title: 'What is there', shrinkTo: 24}],
    result.phases.map(phase => [phase.id, stateText(theme, phase), phase.detail ?? phase.summary]),
    {ellipsis: theme.symbols.ellipsis, header: theme.dim, style},
  )
  const lines = [`Profile ${theme.strong(result.profile)} on ${result.target}`, '', table, '']
  lines.push(...formatServices(theme, result.services))
  lines.push(`  ${pad('Disk', 8)}${formatBytes(result.disk.bytes)} in ${result.disk.state_dir}`)
  if (result.in_flight) {
    const steps = result.in_flight.steps.join(', ') || 'between two steps'
    lines.push('', theme.warn(`The last ${result.in_flight.command} did not come to its end: ${steps}.`))
  }
  if (result.busy !== null) lines.push('', result.busy)
  else if (!result.ready || result.in_flight) lines.push('', 'Next steps:', `  ${command('setup')}`)
  return lines.join('\n')
}

/** What teardown removed, and what stays with its size and price. */
export function formatTeardown({command, environment, profile}: Context, result: TeardownResult): string {
  const theme = resultTheme(environment)
  const planned = result.phases.some(({outcome}) => outcome === 'planned')
  const lines: string[] = []
  if (planned) lines.push(formatPlan(theme, result.phases, 'Nothing was changed. Teardown would do this:'))
  else if (result.phases.length === 0) lines.push(`${profile.name} has nothing to remove.`)
  else {
    const data = result.deleted_data ? ', with its data' : ''
    lines.push(theme.strong(`${theme.good(theme.symbols.done)} ${profile.name} is torn down${data}.`))
  }
  if (result.kept.length > 0) {
    const rows = result.kept.map(({bytes, monthly_price, what, where}) => [
      what,
      bytes === null ? '' : formatBytes(bytes),
      monthly_price === null ? 'not ours to know' : `$${monthly_price.toFixed(2)} a month`,
      where,
    ])
    const columns = [{title: 'Kept'}, {title: 'Size', align: 'right' as const}, {title: 'Price'}, {title: 'Where'}]
    lines.push('', formatTable(columns, rows, {header: theme.dim}))
    lines.push('', 'Next steps:', `  ${command('setup')}`)
    if (!result.deleted_data) lines.push(`  ${command(`teardown --delete-data --confirm ${profile.name}`)}`)
  }
  return lines.join('\n')
}

function formatPlan(
  theme: Theme,
  phases: readonly {id: string; outcome: string; plan: readonly string[]}[],
  title: string,
): string {
  const lines = phases.flatMap(({id, outcome, plan}) => [
    `  ${outcome === 'planned' ? theme.strong(id) : theme.dim(`${id} (${outcome})`)}`,
    ...plan.map(line => `      ${line}`),
  ])
  return [title, '', ...lines].join('\n')
}

function formatServices(theme: Theme, services: readonly ServiceAddress[]): string[] {
  return services.flatMap(({name, sign_in: person, url, why}) => [
    `  ${pad(SERVICE_TITLES[name], 8)}${url ? theme.accent(url) : theme.dim(why ?? 'not there')}`,
    ...(person?.password_file
      ? [`  ${pad('', 8)}${theme.dim(`sign in as ${person.username}; the password is in ${person.password_file}`)}`]
      : []),
  ])
}

function stateText({symbols}: Theme, {state}: StatusPhase): string {
  const symbol = {ready: symbols.done, drifted: symbols.warning, absent: symbols.skipped}[state]
  return `${symbol} ${state}`
}

function stateStyle(theme: Theme, state: StatusPhase['state'] | undefined): (text: string) => string {
  if (state === 'ready') return theme.good
  return state === 'drifted' ? theme.warn : theme.dim
}
