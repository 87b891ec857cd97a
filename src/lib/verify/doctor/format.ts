import type {Symbols} from '../../ui/symbols.js'
import {type DoctorResult, type FindingState, groups} from './check.js'

/** What people read: a block for each group, under each finding what mends it. */
export function formatDoctor({bad, checks, good, warnings}: DoctorResult, symbols: Symbols): string {
  const signs: Readonly<Record<FindingState, string>> = {
    good: symbols.done,
    note: symbols.skipped,
    warning: symbols.warning,
    bad: symbols.failed,
  }
  const width = Math.max(...checks.map(({title}) => title.length))
  const blocks = groups.map(group => {
    const lines = checks
      .filter(check => check.group === group)
      .flatMap(({fix, found, mended, state, title}) => [
        `  ${signs[state]} ${title.padEnd(width)}  ${found}`,
        ...(mended === null ? [] : [`    ${' '.repeat(width)}  mended: ${mended}`]),
        ...fix.map(line => `    ${' '.repeat(width)}  ${symbols.arrow} ${line}`),
      ])
    return [group, ...lines].join('\n')
  })
  const verdict = bad > 0 ? `To mend before mlv works here: ${bad}` : 'Nothing keeps mlv from working here'
  const warned = warnings > 0 ? `, ${warnings} to know about` : ''
  return [...blocks, `${verdict}; ${good} good${warned}.`].join('\n\n')
}
