import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {tenClients} from './clients.mjs'
import {formatSeconds, row} from './measure.mjs'
import {expectGood} from './workshop.mjs'

const {eightWriters} = await import('../../test/_helpers/eight-writers.ts')
const {findPostgres, startPostgres} = await import('../../test/_helpers/postgres-server.ts')

/** Many processes write to one MLflow: what of it is there afterwards, with each of the two kinds of database. */
export async function manyAtOnce(workshop) {
  const rows = await rowsOf('SQLite', (await workshop.platform()).journey, workshop)
  if (findPostgres() === undefined) return rows
  const server = await startPostgres()
  try {
    const journey = await workshop.newProject()
    await writeFile(
      join(journey.folder, 'mlv.yaml'),
      `default: local\nprofiles:\n  local:\n    mlflow:\n      store: ${server.address()}\n`,
    )
    await writeFile(join(journey.folder, '.env.local'), `MLV_MLFLOW_STORE_PASSWORD=\`${server.password}\`\n`)
    await expectGood(journey.mlv('setup', '--yes'))
    rows.push(...(await rowsOf('PostgreSQL', journey, workshop)))
    await expectGood(journey.mlv('teardown', '--yes'))
  } finally {
    await server.stop()
  }
  return rows
}

async function rowsOf(store, journey, workshop) {
  const writers = judge(store, await eightWriters(journey))
  const {complaints, isWhole, lost, runs, seconds} = await tenClients(journey, workshop)
  const ours = `${runs} runs in ${formatSeconds(seconds)}, ${lost.length} things lost, ${complaints.length} complaints`
  const isGood = isWhole && complaints.length === 0
  return [writers, row(`10 clients at once, 100 runs, ${store}`, ours, '—', '—', 'nothing lost', isGood)]
}

function judge(store, {complaints, locks, readBack, sent}) {
  const kept = new Set(readBack)
  const lost = sent.filter(point => !kept.has(point)).length
  const isGood = lost === 0 && complaints.length === 0 && locks.length === 0 && readBack.length === sent.length
  const ours = `${lost} of ${sent.length} points lost, ${locks.length} "locked", ${complaints.length} complaints`
  return row(`8 writers at once, ${store}`, ours, '—', '—', '0 lost, 0 "locked"', isGood)
}
