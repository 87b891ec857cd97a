// Every file in the repository that is made from code, as [path, text]. scripts/generate.mjs writes them; a test
// compares them, so that neither side can drift.
import {readdirSync, readFileSync} from 'node:fs'
import {parse} from 'yaml'
import {z} from 'zod'

const JSON_SCHEMAS = [
  {
    file: 'mlv',
    module: 'lib/profile/profile.js',
    name: 'projectSchema',
    title: 'Settings of mlv (mlv.yaml)',
    target: 'draft-7',
  },
  {
    file: 'template',
    module: 'lib/templates/template-schema.js',
    name: 'templateFileSchema',
    title: 'A template of mlv (template.yaml)',
    target: 'draft-7',
  },
  {file: 'job', module: 'lib/types/job.js', name: 'jobSpecSchema', title: 'A job of mlv'},
  {file: 'event', module: 'lib/types/job.js', name: 'jobEventSchema', title: 'One event in the output of a job of mlv'},
]

/** `load` imports a module of mlv by its path below dist/. */
export async function generatedFiles(load) {
  const files = []
  for (const {file, module, name, title, target} of JSON_SCHEMAS) {
    const {[name]: schema} = await load(module)
    files.push([`schemas/${file}.schema.json`, jsonSchema(schema, {$id: `urn:mlv:schema:${file}:1`, title}, target)])
  }
  files.push(['docs/settings.md', await settingsPage(load)], ['docs/templates.md', templatesPage()])
  files.push(['docs/errors.md', await errorsPage(load)], ['README.md', readmePage()])
  return files
}

async function settingsPage(load) {
  const {listSettings} = await load('lib/profile/settings.js')
  const {dotenvExtras} = await load('lib/profile/env.js')
  const rows = listSettings().map(({name, variable, takes, defaultValue, description}) => [
    `\`${name}\``,
    `\`${variable}\``,
    takes,
    defaultValue === undefined ? '' : `\`${defaultValue}\``,
    description,
  ])
  const others = dotenvExtras.filter(name => !name.startsWith('MLV_')).map(name => `\`${name}\``)
  const page = between(
    read('docs/settings.md'),
    'settings',
    table(['setting', 'variable', 'takes', 'default', 'what it does'], rows),
  )
  return between(page, 'dotenv', others.join(' · '))
}

/** In the order in which people meet them. */
const TEMPLATES = [
  'digits',
  'fashion-mnist',
  'cifar10',
  'cifar100',
  'script',
  'lightning',
  'digits-sweep',
  'cifar10-sweep',
  'lightning-sweep',
  'ddp-1x4',
  'ddp-4x1',
]

function templatesPage() {
  const forgotten = readdirSync(new URL('../templates', import.meta.url)).filter(name => !TEMPLATES.includes(name))
  if (forgotten.length > 0) throw new Error(`Templates that docs/templates.md does not list: ${forgotten.join(', ')}`)
  const rows = TEMPLATES.map(name => {
    const {kind, summary, parameters} = parse(read(`templates/${name}/template.yaml`))
    const defaults = ['data.name', 'model.name', 'epochs'].filter(key => key in parameters)
    const shown = defaults.map(key => `\`${key}\` ${parameters[key].default}`).join(', ')
    return [`\`${name}\``, `\`mlv ${kind}\``, summary, shown]
  })
  return between(read('docs/templates.md'), 'templates', table(['name', 'for', 'what it is', 'defaults'], rows))
}

function read(path) {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
}

/** Puts a text between `<!-- name -->` and `<!-- /name -->`; what people wrote around them stays. */
function between(page, name, text) {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  if (!page.includes(start) || !page.includes(end)) throw new Error(`no ${start} … ${end}`)
  return `${page.slice(0, page.indexOf(start) + start.length)}\n\n${text}\n\n${page.slice(page.indexOf(end))}`
}

function table(head, rows) {
  const line = cells => `| ${cells.map(cell => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

// Editors read draft 7 best; programs get the newest.
function jsonSchema(schema, head, target = 'draft-2020-12') {
  const {$schema, ...body} = z.toJSONSchema(schema, {io: 'input', reused: 'inline', target})
  return `${JSON.stringify({$schema, ...head, ...body}, null, 2)}\n`
}

/** Exit codes, and every error code with what it means. */
async function errorsPage(load) {
  const {errorCodes} = await load('lib/error-codes.js')
  const {exitCodes, exitMeanings} = await load('lib/exit-codes.js')
  const exits = Object.entries(exitCodes).map(([name, code]) => [String(code), exitMeanings[name]])
  const codes = Object.entries(errorCodes).map(([code, {exit, meaning}]) => [`\`${code}\``, String(exit), meaning])
  return `# Exit codes and errors

Made by \`npm run generate\` from src/lib/error-codes.ts. \`mlv explain CODE\` says what helps; it takes an exit code too.

${table(['exit code', 'what is the case'], exits)}

${table(['error', 'exit code', 'what is the case'], codes)}
`
}

/** The table of commands in README.md, from the snapshot of the public surface. */
function readmePage() {
  const commands = read('test/snapshots/commands.txt').trimEnd().split('\n')
  const rows = commands.map(line => line.split(/ {2}/)).map(([id, summary]) => [`\`mlv ${id}\``, summary])
  return between(read('README.md'), 'commands', table(['command', 'what it does'], rows))
}
