import {describe, expect, it} from 'vitest'

import {type ParserError, unknownCommand, usageError} from '../../../src/lib/cli/not-found.js'

const ids = ['train', 'explain', 'jobs:list', 'jobs:stop', 'templates:list', 'templates:show', 'config:show']
const answer = (line: string) => unknownCommand(line.split(' '), ids, command => `npx mlv ${command}`)

describe('a command that does not exist', () => {
  it.each([
    ['trian digits', 'There is no command "trian". Did you mean "train"?', 'npx mlv train'],
    ['jobs lst', 'There is no command "jobs lst". Did you mean "jobs list"?', 'npx mlv jobs list'],
    ['job list --all', 'There is no command "job". Did you mean "jobs list"?', 'npx mlv jobs list'],
    ['tempaltes', 'There is no command "tempaltes". Did you mean "templates"?', 'npx mlv templates'],
    ['completely-else', 'There is no command "completely-else".', 'npx mlv --help'],
  ])('%s is answered with the nearest', (line, message, first) => {
    expect(answer(line)).toMatchObject({code: 'MLV_USAGE_COMMAND', exitCode: 2, message})
    expect(answer(line).tryThis[0]).toBe(first)
  })

  it('is told from a word too many', () => {
    expect(answer('config show extra')).toMatchObject({
      code: 'MLV_USAGE',
      message: '`config show` takes no argument; "extra" is one too many.',
    })
  })
})

describe('a flag that does not exist', () => {
  const refused = (flag: string) => {
    const error: ParserError = Object.assign(new Error(`Nonexistent flag: ${flag}`), {
      flags: [flag],
      parse: {input: {flags: {epochs: {}, model: {}, json: {}}}},
    })
    return usageError(error, 'npx mlv x --help').message
  }

  it('is answered with the nearest', () => {
    expect(refused('--epohcs')).toBe('There is no flag --epohcs. Did you mean "--epochs"?')
    expect(refused('--modle=x')).toBe('There is no flag --modle=x. Did you mean "--model"?')
  })

  it('of one letter is not guessed', () => {
    expect(refused('-x')).toBe('There is no flag -x.')
  })
})

it('a value that is no choice is answered with the nearest', () => {
  const error = new Error('Expected --target=locl to be one of: local, compose\nSee more help with --help')
  expect(usageError(error, 'npx mlv x --help').message).toBe(
    '--target is "locl"; it takes one of: local, compose. Did you mean "local"?',
  )
})
