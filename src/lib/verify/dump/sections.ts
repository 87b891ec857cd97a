import {open, readdir, readFile, stat} from 'node:fs/promises'
import {release} from 'node:os'
import {join, relative} from 'node:path'
import {stripVTControlCharacters} from 'node:util'

import {describeOrigin} from '../../profile/origin.js'
import {listSettings} from '../../profile/settings.js'
import {unicodeSymbols} from '../../ui/symbols.js'
import type {Patient} from '../doctor/check.js'
import {formatDoctor} from '../doctor/format.js'
import {examine} from '../doctor/run.js'
import {SECRET_NAME} from '../redact.js'

const LOG_TAIL_BYTES = 24_000
const JOURNAL_LINES = 80
/** What decides how the tools underneath behave; every other variable stays where it is. */
const TELLING =
  /^(MLV|MLFLOW|RAY|UV|PIP|PYTHON|TORCH|CUDA|NVIDIA|NODE|XDG|LC|AWS)_|^(LANG|TERM|CI|SHELL|NO_COLOR|PATH)$|_proxy$/i

export interface Section {
  readonly title: string
  readonly text: string
}

export async function collectSections(patient: Patient): Promise<readonly Section[]> {
  const {context} = patient
  const [doctor, state, journal, phases, logs] = await Promise.all([
    examine(patient),
    listState(context.stateDir),
    readJournalTail(context.stateDir),
    readPhases(context.stateDir),
    readLogs(context.stateDir),
  ])
  return [
    {title: 'Versions', text: versions(patient)},
    {title: 'Settings', text: settings(patient)},
    {title: 'Environment', text: environment(patient)},
    {title: 'Doctor', text: formatDoctor(doctor, unicodeSymbols)},
    {title: 'What the phases found', text: phases},
    {title: 'Journal', text: journal},
    {title: 'State folder', text: state},
    ...logs,
  ]
}

function versions({context}: Patient): string {
  return [
    `mlv ${context.version}`,
    `Node ${process.versions.node}`,
    `${process.platform} ${release()} ${process.arch}`,
    `written ${new Date().toISOString()}`,
  ].join('\n')
}

function settings({context: {cwd, profile}, problem}: Patient): string {
  if (problem) return ['The built-in profile stands in:', problem.message, ...problem.details].join('\n')
  const lines = listSettings().map(({name, path}) => {
    const value = path.reduce<unknown>(
      (at, key) => (at as Record<string, unknown> | undefined)?.[key],
      profile.settings,
    )
    const origin = profile.origins?.settings[name]
    const from = origin === undefined ? '' : `  (${describeOrigin(origin, file => relative(cwd, file) || file)})`
    return `${name}: ${value === undefined ? '-' : JSON.stringify(value)}${from}`
  })
  return [`profile: ${profile.name}`, ...lines].join('\n')
}

function environment({context}: Patient): string {
  return Object.entries(context.environment)
    .filter(([name, value]) => TELLING.test(name) && value !== undefined)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => `${name}=${SECRET_NAME.test(name) ? '***' : value}`)
    .join('\n')
}

async function listState(stateDir: string): Promise<string> {
  const names = await readdir(stateDir, {recursive: true}).catch(() => [])
  // A model registry's worth of files tells nothing; their folders do.
  const shown = names.filter(name => name.split('/').length <= 2).sort()
  const lines = await Promise.all(
    shown.map(async name => {
      const found = await stat(join(stateDir, name)).catch(() => undefined)
      const mode = found === undefined ? '????' : (found.mode & 0o777).toString(8).padStart(4, '0')
      return `${mode} ${String(found?.isFile() ? found.size : '').padStart(10)} ${name}`
    }),
  )
  return lines.join('\n') || `${stateDir} does not exist`
}

async function readJournalTail(stateDir: string): Promise<string> {
  const text = await readFile(join(stateDir, 'journal.jsonl'), 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-JOURNAL_LINES).join('\n') || 'nothing'
}

async function readPhases(stateDir: string): Promise<string> {
  const folder = join(stateDir, 'outputs')
  const names = (await readdir(folder).catch(() => [])).sort()
  const texts = await Promise.all(names.map(async name => `${name}\n${await readFile(join(folder, name), 'utf8')}`))
  const ports = await readFile(join(stateDir, 'ports.json'), 'utf8').catch(() => '')
  return [...texts, ports && `ports.json\n${ports}`].filter(Boolean).join('\n') || 'nothing'
}

async function readLogs(stateDir: string): Promise<readonly Section[]> {
  const folder = join(stateDir, 'logs')
  const names = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.log')).sort()
  return Promise.all(
    names.map(async name => ({title: `End of ${name}`, text: (await tail(join(folder, name))) || 'nothing'})),
  )
}

async function tail(path: string): Promise<string> {
  const file = await open(path)
  try {
    const {size} = await file.stat()
    const start = Math.max(0, size - LOG_TAIL_BYTES)
    const {buffer, bytesRead} = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    // Colours and cursor moves of whoever wrote it would act on the terminal that shows the dump.
    const text = stripVTControlCharacters(buffer.toString('utf8', 0, bytesRead))
    // A cut first line could hold half of a secret, which no search finds.
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    await file.close()
  }
}
