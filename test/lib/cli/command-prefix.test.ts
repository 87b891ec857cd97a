import {access, constants, mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {commandPrefix} from '../../../src/lib/cli/command-prefix.js'
import {bin} from '../../_helpers/journey.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

describe('a command that is printed', () => {
  it('can be pasted where the person is: in a checkout, outside of it, beside an installed package', async () => {
    const checkout = join(await temporaryFolder(), "it's mine")
    await mkdir(join(checkout, 'src'), {recursive: true})
    expect(commandPrefix(checkout, checkout)('setup')).toBe('npx mlv setup')
    expect(commandPrefix(checkout, join(checkout, 'src'))('setup')).toBe('npx mlv setup')
    expect(commandPrefix(checkout, `${checkout} 2`)('setup')).toMatch(/^'\/.*\/it'\\''s mine\/bin\/mlv\.js' setup$/)
    expect(commandPrefix('/a/node_modules/mlv', '/a')('setup')).toBe('npx mlv setup')
    expect(commandPrefix('/opt/mlv', '/a')('setup')).toBe('mlv setup')
    await access(bin, constants.X_OK)
  })
})
