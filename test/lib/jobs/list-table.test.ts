import {expect, it} from 'vitest'

import {jobTable} from '../../../src/lib/jobs/list-table.js'

it('a narrow terminal leaves the names of jobs whole, so that they can be pasted', () => {
  const name = 'fashion-mnist-saffron-x3f2'
  const job = {
    name,
    state: 'succeeded',
    started: new Date().toISOString(),
    template: 'fashion-mnist',
    metrics: {},
    user: 'somebody-with-a-long-name',
  }
  const {columns} = process.stdout
  process.stdout.columns = 40
  try {
    const text = jobTable([job as never], true, {ellipsis: '..'})
    expect(text).toContain(name)
    expect(text).toContain('fashio..')
  } finally {
    process.stdout.columns = columns
  }
})
