import type {Context} from '../context.js'
import {formatArgv} from '../tools/exec.js'
import {formatDuration} from '../ui/duration.js'
import {pad} from '../ui/text-width.js'
import {resultTheme} from '../ui/theme.js'
import {percent, type QuickstartResult} from './quickstart.js'

/** The end of the quickstart: what was reached, where to look at it, how to sign in, what to type next. */
export function formatQuickstart({command, environment}: Context, result: QuickstartResult): string {
  const theme = resultTheme(environment)
  const {metrics, reused, run, seconds, sign_in, verified} = result
  const how = reused ? 'an earlier quickstart' : formatDuration(seconds * 1000)
  const headline = `The model recognises ${percent(metrics.test_accuracy)} of the test digits (${run.name}, ${how}).`
  const password = sign_in.password_file === null ? '' : `, with the password in ${sign_in.password_file}`
  const line = (name: string, text: string) => `  ${pad(name, 10)}${text}`
  return [
    theme.strong(`${theme.good(theme.symbols.done)} ${headline}`),
    '',
    line('Run', theme.accent(run.url)),
    line('Sign in', `as ${sign_in.username}${password}`),
    line('Verified', `${verified.passed} canaries passed`),
    ...(reused ? [line('Again', `${command('quickstart --again')} trains a new model`)] : []),
    '',
    theme.strong('Next steps:'),
    `  ${command(`open run ${run.id}`)}`,
    ...(sign_in.password_file === null ? [] : [`  ${formatArgv(['cat', sign_in.password_file])}`]),
    `  ${command('train digits --epochs 40')}`,
    `  ${command('jobs list')}`,
    `  ${command('teardown')}`,
  ].join('\n')
}
