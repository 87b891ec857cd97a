import {type DoctorResult, type FindingState, groups} from './check.js'

const symbols: Readonly<Record<FindingState, string>> = {good: '✔', note: '-', warning: '⚠', bad: '✖'}

/** What people read: a block for each group, under each finding what mends it. */
export function formatDoctor({bad, checks, good, warnings}: DoctorResult): string {
  const width = Math.max(...checks.map(({title}) => title.length))
  const blocks = groups.map(group => {
    const lines = checks
      .filter(check => check.group === group)
      .flatMap(({fix, found, mended, state, title}) => [
        `  ${symbols[state]} ${title.padEnd(width)}  ${found}`,
        ...(mended === null ? [] : [`    ${' '.repeat(width)}  mended: ${mended}`]),
        ...fix.map(line => `    ${' '.repeat(width)}  → ${line}`),
      ])
    return [group, ...lines].join('\n')
  })
  const verdict = bad > 0 ? `To mend before mlv works here: ${bad}` : 'Nothing keeps mlv from working here'
  return [...blocks, `${verdict}; ${good} good, ${warnings} to know about.`].join('\n\n')
}
