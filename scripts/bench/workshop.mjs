// Where measurements happen: projects of their own, set up when first asked for, and the helpers that tests use too.

import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {registerHooks} from 'node:module'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {developmentPython} from '../development-python.mjs'

// The tests' helpers are TypeScript that names its neighbours by the compiled name; Node itself strips the types.
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('.') && specifier.endsWith('.js')) {
      const source = new URL(`${specifier.slice(0, -3)}.ts`, context.parentURL)
      if (existsSync(fileURLToPath(source))) return next(source.href, context)
    }
    return next(specifier, context)
  },
})
const {startJourney} = await import('../../test/_helpers/journey.ts')

export function openWorkshop(root) {
  const journeys = []
  let ready
  const workshop = {
    bin: join(root, 'bin/mlv.js'),
    developmentPython,
    node: process.execPath,
    root,
    /** A folder, a HOME and settings of its own; nothing is set up in it. */
    async newProject() {
      const journey = await startJourney('bench')
      journeys.push(journey)
      return journey
    },
    /** A project whose platform runs, the same each time. */
    platform() {
      ready ??= setUp(workshop)
      return ready
    },
    async close() {
      for (const journey of journeys) {
        await journey.mlv('teardown', '--yes')
        await journey.end()
      }
    },
  }
  return workshop
}

async function setUp(workshop) {
  const journey = await workshop.newProject()
  await expectGood(journey.mlv('setup', '--yes'))
  const read = async (...path) => JSON.parse(await readFile(join(journey.stateDir, ...path), 'utf8'))
  const [{python}, ports] = [await read('environment.json'), await read('ports.json')]
  return {
    environment: journey.environment,
    journey,
    project: journey.folder,
    python,
    ray: {tokenFile: join(journey.stateDir, 'credentials', 'ray-token'), url: `http://127.0.0.1:${ports.ray}`},
  }
}

export async function expectGood(running) {
  const ended = await running
  if (ended.code !== 0) throw new Error(`mlv ended with ${ended.code}: ${ended.stderr}`)
  return ended
}
