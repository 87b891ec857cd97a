import {describe, expect, it} from 'vitest'

import {rootHelp} from '../../../src/lib/cli/root-help.js'

const about = {
  summary: 'A summary that is so long that it has to go on in a second line of the eighty columns.',
  topics: {jobs: {description: 'Look at jobs'}},
}

describe('the first page of help', () => {
  it('lists commands in the order of use and topics with their words, in 80 columns', () => {
    const commands = [
      {id: 'jobs:list', summary: 'List.'},
      {id: 'jobs:wait', summary: 'Wait.'},
      {id: 'train', summary: 'Train a model, or run a script of your own, as a tracked job that lands in MLflow.'},
      {id: 'setup', summary: 'Set up.'},
    ]
    const text = rootHelp(commands, about)
    expect(text.split('\n')).toContain('  jobs   Look at jobs: list, wait.')
    expect(text.indexOf('setup')).toBeLessThan(text.indexOf('train  '))
    expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(80)
  })

  it('cannot be made while a command stands in no group, so that none is forgotten', () => {
    expect(() => rootHelp([{id: 'dance', summary: ''}], about)).toThrow('dance')
  })
})
