import {describe, expect, it} from 'vitest'

import {createLineReader} from '../../../src/lib/jobs/output-lines.js'

describe('reading the output of a job', () => {
  it('tells events from the own output of the person, in whatever pieces they come', () => {
    const text = 'hello\n@mlv {"event":"checkpoint","epoch":3,"path":"/c","bytes":7}\nlast'
    const reader = createLineReader()
    const lines = [...text].flatMap(letter => reader.push(letter)).concat(reader.end())
    expect(lines).toEqual([
      {kind: 'text', text: 'hello'},
      {kind: 'event', event: {event: 'checkpoint', epoch: 3, path: '/c', bytes: 7}},
      {kind: 'text', text: 'last'},
    ])
  })

  it('shows a line that only looks like an event', () => {
    const lines = createLineReader().push('@mlv {"event":"unheard of"}\n@mlv {broken\n')
    expect(lines.map(line => line.kind)).toEqual(['text', 'text'])
  })

  it('leaves out what Ray itself writes before the job begins', () => {
    const lines = createLineReader().push(
      '2026-11-24 02:16:03,691\tINFO job_manager.py:581 -- Runtime env is setting up.\nRunning entrypoint for job x: y\nmine\n',
    )
    expect(lines).toEqual([{kind: 'text', text: 'mine'}])
  })
})
