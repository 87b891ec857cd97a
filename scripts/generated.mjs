// Every file in the repository that is made from code, as [path, text]. scripts/generate.mjs writes them; a test
// compares them, so that neither side can drift.
import {readFileSync} from 'node:fs'
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

function templatesPage() {
  const rows = ['digits', 'fashion-mnist', 'cifar10', 'cifar100', 'script', 'digits-sweep', 'cifar10-sweep'].map(
    name => {
      const {summary, parameters} = parse(read(`templates/${name}/template.yaml`))
      const defaults = ['data.name', 'model.name', 'epochs'].filter(key => key in parameters)
      return [`\`${name}\``, summary, defaults.map(key => `\`${key}\` ${parameters[key].default}`).join(', ')]
    },
  )
  return between(read('docs/templates.md'), 'templates', table(['name', 'what it is', 'defaults'], rows))
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
  const {exitCodes} = await load('lib/exit-codes.js')
  const meanings = {
    good: 'all is well',
    failed: 'it failed; `status --exit-code`: something is missing or has drifted',
    usage: 'the command line or a settings file is wrong',
    overBudget: 'it would cost more than the budget',
    verifyFailed: 'a canary of verify failed',
    leftovers: 'teardown could not remove everything',
    locked: 'somebody else is changing the profile',
    stillRunning: 'the wait ran out; the message has the command that resumes it',
    bug: 'a bug in mlv',
    jobFailed: 'the job ran and failed',
    jobStopped: 'the job was stopped',
    interrupted: 'interrupted; a job that was followed goes on',
    terminated: 'asked to end by SIGTERM',
  }
  const exits = Object.entries(exitCodes).map(([name, code]) => [String(code), meanings[name]])
  const codes = Object.entries(errorCodes).map(([code, {exit, meaning}]) => [`\`${code}\``, String(exit), meaning])
  return `# Exit codes and errors

Made by \`npm run generate\` from src/lib/error-codes.ts. \`mlv explain CODE\` says what helps.

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
