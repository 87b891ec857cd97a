import {describe, expect, it} from 'vitest'

import {junitXml} from '../../../src/lib/verify/junit.js'

describe('the JUnit report', () => {
  it('has a case for each canary and stays well-formed whatever a message holds', () => {
    const xml = junitXml({
      profile: 'lo"cal',
      scope: 'all',
      passed: 1,
      warned: 0,
      skipped: 0,
      failed: 1,
      seconds: 2.5,
      canaries: [
        {id: 'disk', title: 'A & B', state: 'passed', seconds: 0.5, detail: 'fine <1>', try_this: []},
        {id: 'ray-job', title: 'Job', state: 'failed', seconds: 2, detail: 'it said "no"\n\u0000<&', try_this: []},
      ],
    })
    expect(xml).toContain('<testsuites tests="2" failures="1" errors="0" skipped="0" time="2.500">')
    expect(xml).toContain('name="A &amp; B" time="0.500"')
    expect(xml).toContain('<failure message="it said &quot;no&quot;&#10;\uFFFD&lt;&amp;"/>')
    expect(xml).toContain('name="mlv verify lo&quot;cal"')
    expect(xml.match(/<testcase/g)).toHaveLength(2)
  })
})
