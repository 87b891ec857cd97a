import {describe, expect, it} from 'vitest'

import {errorCodes} from '../../src/lib/error-codes.js'
import {explain, formatExplanations} from '../../src/lib/explain.js'

const command = (line: string) => `npx mlv ${line}`

describe('mlv explain', () => {
  it('explains one code, however it is typed', () => {
    for (const name of ['MLV_DISK_FULL', 'mlv_disk_full', 'disk-full']) {
      expect(explain(name, command)).toMatchObject([{code: 'MLV_DISK_FULL', exit_code: 1}])
    }
    expect(formatExplanations(explain('disk-full', command))).toMatch(/^MLV_DISK_FULL \(exit code 1\)\n\n/)
  })

  it('lists every code without one', () => {
    const lines = formatExplanations(explain(undefined, command)).split('\n')
    expect(lines).toHaveLength(Object.keys(errorCodes).length)
  })

  it('takes an exit code, says what it means and which errors end with it', () => {
    expect(explain('13', command).map(({code}) => code)).toContain('MLV_LOCKED')
    expect(formatExplanations(explain('13', command), '13')).toMatch(
      /^Exit code 13: somebody else is changing the profile\.\n\nMLV_LOCKED/,
    )
    expect(formatExplanations(explain('0', command), '0')).toBe('Exit code 0: all is well.')
    expect(() => explain('42', command)).toThrow('42 is no exit code of mlv; it ends with one of: 0, 1, 2,')
  })

  it('guesses what was meant by a wrong one', () => {
    expect(() => explain('MLV_DISK_FUL', command)).toThrow('Did you mean "MLV_DISK_FULL"?')
    expect(() => explain('disk', command)).toThrow('Did you mean "MLV_DISK_FULL"?')
  })
})
