import {ago} from '../ui/duration.js'
import type {Symbols} from '../ui/symbols.js'
import {formatTable} from '../ui/table.js'
import type {JobRecord} from './record.js'

/** Jobs as people read them, one a line. Names stay whole, to be pasted. */
export function jobTable(jobs: readonly JobRecord[], isAll: boolean, {ellipsis}: Pick<Symbols, 'ellipsis'>): string {
  const columns = [
    {title: 'NAME'},
    {title: 'STATE'},
    {title: 'STARTED', shrinkTo: 8},
    {title: 'TEMPLATE', shrinkTo: 8},
    {title: 'ACCURACY', align: 'right' as const},
    ...(isAll ? [{title: 'USER', shrinkTo: 4}] : []),
  ]
  const rows = jobs.map(job => {
    const accuracy = job.metrics.test_accuracy
    const shown = accuracy === undefined ? '' : `${(accuracy * 100).toFixed(2)} %`
    const cells = [job.name, job.state, ago(new Date(job.started)), job.template || 'own command', shown]
    return isAll ? [...cells, job.user] : cells
  })
  return formatTable(columns, rows, {ellipsis})
}
