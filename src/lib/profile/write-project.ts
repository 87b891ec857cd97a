import {stringify} from 'yaml'

import {type Setting, settingsOf} from './settings.js'

export interface ProjectText {
  /** The line by which editors find the schema. */
  readonly schemaLine: string
  readonly profile: string
  /** Values by the name of the setting; the others stand there as comments. */
  readonly values: Readonly<Record<string, unknown>>
}

/** The text of a new mlv.yaml: what was answered as values, everything else as a comment that says what it does. */
export function projectText({schemaLine, profile, values}: ProjectText): string {
  const lines = [
    schemaLine,
    '# Settings of mlv. Flags win over the environment (MLV_…), the environment over this file.',
    '# `mlv config show --origin` says where each value comes from.',
    '',
    '# The profile that is used when none is named by --profile or MLV_PROFILE.',
    `default: ${scalar(profile)}`,
    '',
    'profiles:',
    `  ${scalar(profile)}:`,
  ]
  let group = ''
  const settings = settingsOf(values.target)
  const isUnder = (key: string) => settings.some(({name, path}) => path.length > 1 && path[0] === key && name in values)
  for (const setting of settings) {
    const [first = '', second] = setting.path
    if (second !== undefined && first !== group) {
      lines.push('', isUnder(first) ? `    ${first}:` : `    # ${first}:`)
      group = first
    } else if (second === undefined) {
      if (lines.at(-1) !== `  ${scalar(profile)}:`) lines.push('')
    }
    lines.push(...entry(setting, values[setting.name], isUnder(first)))
  }
  return `${lines.join('\n')}\n`
}

/** A setting that is not set is a comment: on its own in a group that is there, else inside the commented group. */
function entry(
  {path, description, defaultValue, example, takes}: Setting,
  value: unknown,
  isGroupSet: boolean,
): string[] {
  const inner = '  '.repeat(path.length - 1)
  const assignment = `${path.at(-1)}: ${scalar(value ?? defaultValue ?? example ?? takes)}`
  const lines = [
    `# ${description}`,
    value === undefined && (isGroupSet || inner === '') ? `# ${assignment}` : assignment,
  ]
  return lines.map(line => (isGroupSet || inner === '' ? `    ${inner}${line}` : `    # ${inner}${line}`))
}

/** One value on one line, in quotes where it needs them. */
function scalar(value: unknown): string {
  return stringify(value, {blockQuote: false, lineWidth: 0}).trimEnd()
}
