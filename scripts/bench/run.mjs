// Measures what docs/benchmarks.md says, side by side with what it is compared with, and writes that page.
//
//   npm run bench                 everything; about an hour, on a machine that does nothing else
//   npm run bench -- cli jobs     only these sections; the others keep what was measured before
import {spawnSync} from 'node:child_process'
import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {cpus, totalmem} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {cliStart} from './cli-start.mjs'
import {jobLatency} from './jobs.mjs'
import {severalProcesses, sweeps, trainingLoop} from './python-rows.mjs'
import {firstStart, nothingToDo} from './setup.mjs'
import {openWorkshop} from './workshop.mjs'
import {manyAtOnce} from './writers.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const sections = {
  cli: {measure: cliStart, title: 'The command line'},
  setup: {
    measure: async workshop => [...(await nothingToDo(workshop)), ...(await firstStart(workshop))],
    title: 'Setup',
  },
  jobs: {measure: jobLatency, title: 'Jobs'},
  loop: {measure: trainingLoop, title: 'The training loop'},
  overhead: {measure: sweeps('overhead', 3), title: 'Sweeps: a trial that does nothing'},
  hundred: {measure: sweeps('hundred', 1), title: 'Sweeps: a hundred short trials'},
  useful: {measure: sweeps('useful', 1), title: 'Sweeps: use of the machine'},
  asha: {measure: sweeps('asha', 1), title: 'Sweeps: stopping early'},
  kill: {measure: sweeps('kill', 1), title: 'Sweeps: killed and resumed'},
  ddp: {measure: severalProcesses, title: 'Several processes'},
  writers: {measure: manyAtOnce, title: 'Many at once'},
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !(name in sections))
if (unknown.length > 0) {
  console.error(`There is no section ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}.`)
  process.exit(2)
}

const store = join(root, 'docs/benchmarks.json')
const measured = existsSync(store) ? JSON.parse(readFileSync(store, 'utf8')) : {}
const workshop = openWorkshop(root)
try {
  for (const name of wanted.length > 0 ? wanted : Object.keys(sections)) {
    console.log(`\n── ${sections[name].title}`)
    const rows = await sections[name].measure(workshop)
    for (const row of rows)
      console.log(`${row.isGood ? '✔' : '✖'} ${row.what}: ${row.ours}; ${row.against}; ${row.ratio} (${row.aim})`)
    measured[name] = {date: new Date().toISOString().slice(0, 10), machine: machine(), rows}
    // At once: a later section may fail.
    write()
  }
} finally {
  await workshop.close()
}
console.log('\nWritten to docs/benchmarks.md.')

function write() {
  writeFileSync(store, `${JSON.stringify(measured, null, 2)}\n`)
  spawnSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', store], {cwd: root, stdio: 'ignore'})
  writeFileSync(join(root, 'docs/benchmarks.md'), page(measured))
}

function machine() {
  const [{model}] = cpus()
  return `${cpus().length} cores (${model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux, Node ${process.versions.node}`
}

function page(all) {
  const parts = Object.entries(sections)
    .filter(([name]) => all[name])
    .map(([name, {title}]) => {
      const {date, machine: where, rows} = all[name]
      const lines = rows.map(
        row =>
          `| ${row.what} | ${row.ours} | ${row.against} | ${row.ratio} | ${row.aim} | ${row.isGood ? 'yes' : '**no**'} |`,
      )
      return [
        `## ${title}`,
        '',
        '| what | mlv | against | ratio | aim | reached |',
        '|---|---|---|---|---|---|',
        ...lines,
        '',
        `Measured on ${date}: ${where}.`,
        '',
      ].join('\n')
    })
  return `# Benchmarks

Written by \`npm run bench\`, which runs each pair side by side, in turn, and takes medians of at least five rounds after one
that does not count; for sweeps and several processes of as many rounds as the row says, five where it says nothing. No test
asserts a time. A row with **no** is a debt.

${parts.join('\n')}`
}
