import {describe, expect, it} from 'vitest'

import {checkName} from '../../../src/lib/jobs/names.js'
import {retyped} from '../../../src/lib/jobs/retype.js'

describe('a command line that is suggested', () => {
  const name = (...words: string[]) => retyped(['mlv', ...words], ['--name', '-n'], 'my-first-2')

  it('keeps everything that was typed but for the one value', () => {
    expect(name('train', 'digits', '--epochs', '3', '--name', 'my-first')).toBe(
      'train digits --epochs 3 --name my-first-2',
    )
    expect(name('train', '-n', 'my-first', '--set', 'a=b c')).toBe("train --name my-first-2 --set 'a=b c'")
    expect(name('train', '--name=my-first', '-d')).toBe('train --name my-first-2 -d')
  })

  it("leaves the person's own command as it is", () => {
    expect(name('train', '--', 'python', 'x.py', '--name', 'mine')).toBe(
      'train --name my-first-2 -- python x.py --name mine',
    )
  })
})

it('a name that is suggested for a wrong one can be used', () => {
  const suggested = (wrong: string) => {
    try {
      return checkName(wrong, '--name', (flag, value) => `mlv train ${flag} ${value}`)
    } catch (error) {
      return (error as {tryThis: string[]}).tryThis[0]
    }
  }
  expect(suggested('a b/ü')).toBe('mlv train --name a-b-u')
  expect(suggested('a b/日')).toBe('mlv train --name a-b')
  expect(suggested('///')).toBe('mlv train --name my-job')
})
