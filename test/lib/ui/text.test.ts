import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {ago, formatBytes, formatDuration} from '../../../src/lib/ui/duration.js'
import {createEta, progressBar} from '../../../src/lib/ui/progress-bar.js'
import {sparkline} from '../../../src/lib/ui/sparkline.js'
import {formatTable} from '../../../src/lib/ui/table.js'
import {pad, textWidth, truncate} from '../../../src/lib/ui/text-width.js'

describe('texts for people', () => {
  it.each([
    [0, '0.0 s'],
    [430, '0.4 s'],
    [9940, '9.9 s'],
    [9960, '10 s'],
    [59_600, '1 min'],
    [185_000, '3 min 5 s'],
    [7_800_000, '2 h 10 min'],
  ])('say %i ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('say how long ago and how much', () => {
    const now = new Date('2026-11-24T12:00:00Z')
    const before = (seconds: number) => new Date(now.getTime() - seconds * 1000)
    expect([1, 40, 120, 9000, 200_000].map(seconds => ago(before(seconds), now))).toEqual([
      'just now',
      '40 s ago',
      '2 min ago',
      '3 h ago',
      '2 days ago',
    ])
    expect([0, 512, 1536, 200 * 1024, 3 * 1024 ** 3].map(formatBytes)).toEqual([
      '0 B',
      '512 B',
      '1.5 KiB',
      '200 KiB',
      '3.0 GiB',
    ])
  })

  it('never take more columns than they are given, wide letters and pictures too', () => {
    expect([textWidth('프로'), textWidth('\u001B[31mred\u001B[39m'), textWidth('🚀')]).toEqual([4, 3, 2])
    fc.assert(
      fc.property(fc.string({unit: 'grapheme'}), fc.integer({min: 1, max: 30}), (text, columns) => {
        expect(textWidth(truncate(text, columns))).toBeLessThanOrEqual(columns)
        expect(textWidth(pad(truncate(text, columns), columns))).toBeGreaterThanOrEqual(columns)
      }),
    )
  })

  it('stand in columns that fit the terminal; what may shrink gives way', () => {
    const columns = [
      {title: 'Name', shrinkTo: 6},
      {title: 'Size', align: 'right' as const},
    ]
    const rows = [
      ['a very long name indeed', '12'],
      ['프로젝트', '3456'],
    ]
    expect(formatTable(columns, rows, {width: 80}).split('\n')).toEqual([
      'Name                     Size',
      'a very long name indeed    12',
      '프로젝트                 3456',
    ])
    const narrow = formatTable(columns, rows, {width: 16}).split('\n')
    expect(narrow[1]).toBe('a very lo…    12')
    expect(formatTable(columns, rows, {width: 16, ellipsis: '..'}).split('\n')[1]).toBe('a very l..    12')
    for (const line of narrow) expect(textWidth(line)).toBeLessThanOrEqual(16)
  })
})

describe('small pictures', () => {
  it('draw a series from its lowest to its highest, in at most so many columns', () => {
    expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8])).toBe('▁▂▃▄▅▆▇█')
    expect(sparkline([2, 2, 2])).toBe('▅▅▅')
    expect(sparkline([0, Number.NaN, 1], {ascii: true})).toBe('_@')
    expect(sparkline([])).toBe('')
    expect([...sparkline(Array.from({length: 1000}, (_, x) => Math.sin(x / 50)))]).toHaveLength(40)
  })

  it('draw a bar that is always as wide as asked', () => {
    expect(progressBar(0, 8)).toBe('░░░░░░░░')
    expect(progressBar(1, 8)).toBe('████████')
    expect(progressBar(0.5, 8, true)).toBe('[####....]')
    fc.assert(
      fc.property(fc.double({min: -1, max: 2}), fraction => {
        expect(textWidth(progressBar(fraction, 10))).toBe(10)
      }),
    )
  })

  it('estimate what is left after three steady units, and say nothing while the pace jumps', () => {
    const eta = createEta(10, 0)
    eta.update(1, 1000)
    eta.update(2, 2000)
    expect(eta.text()).toBe('')
    eta.update(3, 3000)
    expect(eta.text()).toBe('about 7.0 s left')
    eta.update(4, 23_000)
    expect(eta.text()).toBe('')
    eta.update(10, 30_000)
    expect(eta.text()).toBe('')
  })
})
