import {mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {decodeLine, journalPath, openJournal, readJournal} from '../../../src/lib/phases/journal.js'
import {findInFlight, usualDurations} from '../../../src/lib/phases/journal-events.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const started = {event: 'run-started', command: 'setup', pid: 7, version: '1'} as const
const step = {event: 'step-started', phase: '03-mlflow', step: 'start', title: 'Starting the MLflow server'} as const

async function written(folder: string): Promise<void> {
  const journal = await openJournal(folder)
  journal.append(started)
  journal.append({event: 'phase-started', phase: '03-mlflow'})
  journal.append(step)
  journal.close()
}

describe('the journal', () => {
  it('gives back what was written, and is empty where there is none', async () => {
    const folder = await temporaryFolder()
    expect(await readJournal(folder)).toMatchObject({events: [], isCorrupt: false, isTorn: false})
    await written(folder)
    const {events} = await readJournal(folder)
    expect(events.map(({event}) => event)).toEqual(['run-started', 'phase-started', 'step-started'])
    expect(statSync(journalPath(folder)).mode & 0o777).toBe(0o600)
  })

  it('names the step that was in flight, and nothing once the run has ended well', async () => {
    const folder = await temporaryFolder()
    await written(folder)
    const before = findInFlight((await readJournal(folder)).events)
    expect(before).toMatchObject({command: 'setup', pid: 7, steps: [{phase: '03-mlflow', title: step.title}]})
    expect(before?.outcome).toBeUndefined()

    const journal = await openJournal(folder)
    journal.append(started)
    journal.append({event: 'run-ended', outcome: 'done'})
    journal.close()
    expect(findInFlight((await readJournal(folder)).events)).toBeUndefined()
  })

  it('survives a cut at any byte: the lines before it are whole, nothing is called corrupt', async () => {
    const folder = await temporaryFolder()
    await written(folder)
    const whole = readFileSync(journalPath(folder))
    await fc.assert(
      fc.asyncProperty(fc.integer({min: 0, max: whole.length}), async bytes => {
        const cut = whole.subarray(0, bytes)
        writeFileSync(journalPath(folder), cut)
        const lines = cut.toString().split('\n').length - 1
        const found = await readJournal(folder)
        expect(found).toMatchObject({isCorrupt: false, isTorn: cut.length > 0 && cut.at(-1) !== 10})
        expect(found.events).toHaveLength(lines)

        const journal = await openJournal(folder)
        journal.append(started)
        journal.close()
        expect((await readJournal(folder)).events).toHaveLength(lines + 1)
      }),
      {numRuns: 60},
    )
    expect(readdirSync(folder)).toEqual(['journal.jsonl'])
  })

  it('notices a changed character anywhere in a line', async () => {
    const folder = await temporaryFolder()
    await written(folder)
    const [line = ''] = readFileSync(journalPath(folder), 'utf8').split('\n')
    expect(decodeLine(line)).toBeDefined()
    fc.assert(
      fc.property(fc.integer({min: 0, max: line.length - 1}), fc.constantFrom('0', 'z', '"', '}'), (at, character) => {
        fc.pre(line[at] !== character)
        expect(decodeLine(line.slice(0, at) + character + line.slice(at + 1))).toBeUndefined()
      }),
    )
  })

  it('keeps a corrupt file aside and goes on from what can be read', async () => {
    const folder = await temporaryFolder()
    await written(folder)
    const lines = readFileSync(journalPath(folder), 'utf8').split('\n')
    const damaged = [lines[0], 'not a line of ours', lines[2], ''].join('\n')
    writeFileSync(journalPath(folder), damaged)

    const journal = await openJournal(folder)
    journal.close()
    expect(readFileSync(journal.keptAside ?? '', 'utf8')).toBe(damaged)
    expect(journal.earlier.map(({event}) => event)).toEqual(['run-started', 'step-started'])
    const second = await openJournal(folder)
    second.close()
    expect(second.keptAside).toBeUndefined()
  })

  it('is rebuilt where a folder stands in its place', async () => {
    const folder = await temporaryFolder()
    mkdirSync(journalPath(folder))
    await written(folder)
    expect((await readJournal(folder)).events).toHaveLength(3)
  })

  it('does not grow for ever, and forgets neither the last run nor how long phases took', async () => {
    const folder = await temporaryFolder()
    for (let round = 0; round < 120; round += 1) {
      const journal = await openJournal(folder)
      journal.append(started)
      for (let index = 0; index < 20; index += 1) {
        journal.append({...step, step: `s${index}`})
        journal.append({event: 'step-ended', phase: '03-mlflow', step: `s${index}`, outcome: 'done', ms: 1})
      }
      journal.append({event: 'phase-ended', phase: '03-mlflow', outcome: 'done', ms: 4200})
      journal.close()
    }
    const {bytes, events} = await readJournal(folder)
    expect(bytes).toBeLessThan(160 * 1024)
    expect(usualDurations(events).get('03-mlflow')).toBe(4200)
    expect(events.filter(({event}) => event === 'run-started').length).toBeGreaterThan(1)
  })
})
