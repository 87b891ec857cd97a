import {expect, it} from 'vitest'

import {formatError} from '../../../src/lib/cli/print-error.js'
import {parseYaml} from '../../../src/lib/profile/yaml-file.js'

it('several mistakes in one file stand apart, without a space at the end of a line', () => {
  const file = parseYaml('/x/mlv.yaml', 'one: 1\ntwo: 2\n', {label: 'mlv.yaml', code: 'MLV_SETTINGS_FILE'})
  const problems = ['one', 'two'].map(key => ({path: [key], isAboutKey: true, sentence: `Unknown key "${key}".`}))
  expect(formatError(file.error('MLV_SETTINGS_KEY', problems)).split('\n').slice(0, 10)).toEqual([
    'Error: mlv.yaml, line 1, column 1: Unknown key "one".',
    '',
    '  1 | one: 1',
    '    | ^^^',
    '',
    '  mlv.yaml, line 2, column 1: Unknown key "two".',
    '',
    '  2 | two: 2',
    '    | ^^^',
    '',
  ])
})
