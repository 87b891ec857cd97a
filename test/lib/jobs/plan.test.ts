import {describe, expect, it} from 'vitest'

import {planJob} from '../../../src/lib/jobs/plan.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const refusal = async (request: Omit<Parameters<typeof planJob>[1], 'words'>, words: string[]) => {
  const {context} = projectContext(await temporaryFolder())
  return planJob(context, {...request, words: ['mlv', 'train', ...words]}).catch((error: unknown) => error)
}

describe('a job that cannot be', () => {
  it('is answered with the whole line and the template that was meant', async () => {
    const request = {template: 'digit', epochs: '3', name: 'digit'}
    expect(await refusal(request, ['--name', 'digit', 'digit', '--epochs', '3'])).toMatchObject({
      code: 'MLV_TEMPLATE_UNKNOWN',
      tryThis: ['npx mlv train --name digit digits --epochs 3', 'npx mlv templates list'],
    })
  })

  it('is answered with the whole line and a name that can be used', async () => {
    expect(await refusal({name: 'a b'}, ['-n', 'a b', '--set', 'x=1 2'])).toMatchObject({
      code: 'MLV_JOB_NAME',
      tryThis: ["npx mlv train --name a-b --set 'x=1 2'"],
    })
  })

  it('of a template and a command is answered with either of them', async () => {
    const request = {template: 'digits', argv: ['python', 'x.py']}
    expect(await refusal(request, ['digits', '--', 'python', 'x.py'])).toMatchObject({
      message: 'digits and the command python x.py cannot be given together: a job runs one of them.',
      tryThis: ['npx mlv train -- python x.py', 'npx mlv train digits'],
    })
  })
})
