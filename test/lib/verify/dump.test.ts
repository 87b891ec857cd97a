import {mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {MlvError} from '../../../src/lib/errors.js'
import {writeDump} from '../../../src/lib/verify/dump/write.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

// Different in each place, so that a hit names where it came from.
const SEEDS = {
  admin: 'seed-admin-Q7x!"9\'z',
  jobs: 'seed-jobs-password-42',
  ray: 'seedray0123456789abcdef0123456789abcdef',
  aws: 'seedAws/Key+abcdefghij0123456789',
  store: 'seed-store-p@ss/word',
  proxy: 'seedproxypw',
  token: 'seedtokenvalue',
  database: 'seed-database-password',
}

async function seededProject() {
  const folder = await temporaryFolder()
  const {context} = projectContext(folder, {
    PATH: process.env.PATH,
    HOME: join(folder, 'home'),
    AWS_SECRET_ACCESS_KEY: SEEDS.aws,
    MLV_MLFLOW_STORE_PASSWORD: SEEDS.store,
    HTTPS_PROXY: `http://me:${SEEDS.proxy}@127.0.0.1:9`,
    MLV_SOME_TOKEN: SEEDS.token,
  })
  const place = (...parts: string[]) => join(context.stateDir, ...parts)
  await mkdir(place('credentials'), {recursive: true, mode: 0o700})
  await mkdir(place('logs'))
  await mkdir(place('outputs'))
  await writeFile(place('credentials', 'admin'), `${SEEDS.admin}\n`, {mode: 0o600})
  await writeFile(place('credentials', 'ray-token'), SEEDS.ray, {mode: 0o600})
  const jobs = {username: 'mlv-jobs', password: SEEDS.jobs}
  await writeFile(place('credentials', 'mlv-jobs.json'), JSON.stringify(jobs), {mode: 0o600})
  const settings = `[mlflow]\ndatabase_uri = postgresql://mlv:${SEEDS.database}@db/auth\nadmin_username = admin\n`
  await writeFile(place('credentials', 'mlflow-auth.ini'), settings, {mode: 0o600})
  const leaks = Object.values(SEEDS).flatMap(seed => [
    `bare ${seed} in the text`,
    `json ${JSON.stringify({value: seed})}`,
    `basic ${Buffer.from(seed).toString('base64')}`,
    `query ?x=${encodeURIComponent(seed)}`,
  ])
  await writeFile(
    place('logs', 'mlflow.log'),
    `\u001B[32mserver started\u001B[0m\n${leaks.join('\n')}\nuser mlv-jobs signed in\n`,
  )
  await writeFile(place('journal.jsonl'), `${leaks.join('\n')}\n`)
  await writeFile(place('outputs', '03-mlflow.json'), JSON.stringify({leaks}))
  return context
}

describe('mlv support dump', () => {
  it('shows none of the seeded secrets in any form, and is for its owner alone', async () => {
    const context = await seededProject()
    const result = await writeDump({context, output: 'dump.txt', problem: undefined})
    const text = await readFile(result.file, 'utf8')
    for (const seed of Object.values(SEEDS)) {
      for (const form of [seed, encodeURIComponent(seed), Buffer.from(seed).toString('base64')]) {
        expect(text).not.toContain(form)
      }
    }
    expect((await stat(result.file)).mode & 0o777).toBe(0o600)
    expect(text).not.toContain(context.environment.HOME)
  })

  it('still says what helps: versions, settings, the doctor, the journal, the ends of the logs', async () => {
    const context = await seededProject()
    const {file, sections} = await writeDump({context, output: 'dump.txt', problem: undefined})
    const text = await readFile(file, 'utf8')
    expect(sections).toEqual(expect.arrayContaining(['Versions', 'Settings', 'Doctor', 'Journal', 'End of mlflow.log']))
    expect(text).toContain('mlv 0.0.0-test')
    expect(text).toContain('python.torch: "auto"')
    expect(text).toContain('\nserver started\n')
    expect(text).not.toContain('\u001B')
    expect(text).toContain('user mlv-jobs signed in')
    expect(text).toContain('0600')
    expect(text).toContain('mlflow-auth.ini')
  })

  it('works where mlv.yaml is broken and nothing was ever set up, and says what is wrong with it', async () => {
    const {context} = projectContext(await temporaryFolder())
    const problem = new MlvError('MLV_USAGE', 'mlv.yaml, line 3: Unknown key "pyton".')
    const text = await readFile((await writeDump({context, output: undefined, problem})).file, 'utf8')
    expect(text).toContain('mlv.yaml, line 3: Unknown key "pyton".')
  })

  it('never writes over a file', async () => {
    const {context} = projectContext(await temporaryFolder())
    await writeFile(join(context.cwd, 'mine.txt'), 'mine')
    const attempt = writeDump({context, output: 'mine.txt', problem: undefined})
    await expect(attempt).rejects.toThrow('exists already')
    expect(await readFile(join(context.cwd, 'mine.txt'), 'utf8')).toBe('mine')
  })
})
