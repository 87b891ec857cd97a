import {homedir} from 'node:os'
import {relative, sep} from 'node:path'

import type {Context} from '../context.js'
import {describeOrigin, type Origin} from '../profile/origin.js'
import {settingsOf} from '../profile/settings.js'
import {formatTable} from '../ui/table.js'

export interface ShownSetting {
  name: string
  /** Null where the setting is not set. */
  value: unknown
  origin: Origin
  variable: string
}

export interface ShownSettings {
  profile: {name: string; origin: Origin; file: string | null; state: string}
  settings: ShownSetting[]
}

/** Every setting of the profile with where it comes from. */
export function showSettings({profile, stateDir}: Context): ShownSettings {
  return {
    profile: {
      name: profile.name,
      origin: profile.origins?.name ?? {kind: 'default'},
      file: profile.file ?? null,
      state: stateDir,
    },
    settings: settingsOf(profile.settings.target).map(({name, path, variable}) => ({
      name,
      value:
        path.reduce<unknown>((group, key) => (group as Record<string, unknown> | undefined)?.[key], profile.settings) ??
        null,
      origin: profile.origins?.settings[name] ?? {kind: 'default'},
      variable,
    })),
  }
}

/** The same for people. Without origins the variable of each setting is shown, which is what one needs next. */
export function formatSettings(
  {profile, settings}: ShownSettings,
  {cwd, reporter}: Context,
  withOrigin: boolean,
): string {
  const shorten = (file: string) => shortPath(file, cwd)
  const where = profile.file ? ` in ${shorten(profile.file)}` : ', built in (there is no mlv.yaml)'
  const by = withOrigin && profile.origin.kind !== 'default' ? ` (${describeOrigin(profile.origin, shorten)})` : ''
  const head = [`Profile ${profile.name}${where}${by}`, `State   ${shorten(profile.state)}`, '']
  const rows = settings.map(({name, value, origin, variable}) => [
    name,
    value === null ? '-' : String(value),
    withOrigin ? describeOrigin(origin, shorten) : variable,
  ])
  const columns = [{title: 'SETTING'}, {title: 'VALUE', shrinkTo: 16}, {title: withOrigin ? 'ORIGIN' : 'VARIABLE'}]
  return [...head, formatTable(columns, rows, {ellipsis: reporter.symbols.ellipsis})].join('\n')
}

/** Relative below the current folder, with ~ below the home folder, else whole. */
function shortPath(file: string, cwd: string): string {
  const path = relative(cwd, file)
  if (!path.startsWith('..')) return path || '.'
  const inHome = relative(homedir(), file)
  if (!inHome.startsWith('..')) return `~${sep}${inHome}`
  return path.length < file.length ? path : file
}
