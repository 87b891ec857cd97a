import {describe, expect, it} from 'vitest'

import {type ParserError, unknownCommand, usageError} from '../../../src/lib/cli/not-found.js'

const ids = ['train', 'explain', 'jobs:list', 'jobs:stop', 'templates:list', 'templates:show', 'config:show']
const answer = (line: string) =>
  unknownCommand(
    line.match(/'[^']*'|\S+/g)?.map(word => word.replaceAll("'", '')) ?? [],
    ids,
    command => `npx mlv ${command}`,
  )

describe('a command that does not exist', () => {
  it.each([
    ['trian digits', 'There is no command "trian". Did you mean "train"?', 'npx mlv train digits'],
    [
      "trian --epochs 3 -- python 'x y.py'",
      'There is no command "trian". Did you mean "train"?',
      "npx mlv train --epochs 3 -- python 'x y.py'",
    ],
    ['jobs lst', 'There is no command "jobs lst". Did you mean "jobs list"?', 'npx mlv jobs list'],
    ['job list --all', 'There is no command "job". Did you mean "jobs list"?', 'npx mlv jobs list --all'],
    ['job digits-amber-x3f2', 'There is no command "job". Did you mean "jobs"?', 'npx mlv jobs'],
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

it('a flag before the command is put behind it', () => {
  const message = 'Flags come after the command.'
  expect(answer('-p foo jobs list --all')).toMatchObject({
    message,
    tryThis: ['npx mlv jobs list -p foo --all', 'npx mlv --help'],
  })
  expect(answer('--quiet')).toMatchObject({message, tryThis: ['npx mlv --help']})
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

it('an argument that is missing is answered with what it takes', () => {
  const error: ParserError = Object.assign(new Error('Missing 1 required arg:\nservice'), {
    args: [{name: 'service', description: 'Whose log to show.', options: ['mlflow', 'ray']}],
  })
  expect(usageError(error, 'npx mlv logs --help')).toMatchObject({
    message: 'SERVICE is missing; it takes one of: mlflow, ray.',
    details: ['SERVICE: Whose log to show.'],
    tryThis: ['npx mlv logs mlflow', 'npx mlv logs --help'],
  })
})

it.each([
  ['--raw=true cannot also be provided when using --follow', '--follow and --raw cannot be given together.'],
  [
    'All of the following must be provided when using --confirm: --delete-data',
    '--confirm is of use with --delete-data only.',
  ],
])('flags that do not fit together are named: %s', (said, message) => {
  const error = new Error(`The following error occurred:\n  \u001B[2m${said}\u001B[22m\nSee more help with --help`)
  expect(usageError(error, 'npx mlv x --help').message).toBe(message)
})
