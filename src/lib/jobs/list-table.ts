import {ago} from '../ui/duration.js'
import {formatTable} from '../ui/table.js'
import type {JobRecord} from './record.js'

/** Jobs as people read them, one a line. */
export function jobTable(jobs: readonly JobRecord[], isAll: boolean): string {
  const columns = [
    {title: 'NAME', shrinkTo: 16},
    {title: 'STATE'},
    {title: 'STARTED'},
    {title: 'TEMPLATE'},
    {title: 'ACCURACY', align: 'right' as const},
    ...(isAll ? [{title: 'USER'}] : []),
  ]
  const rows = jobs.map(job => {
    const accuracy = job.metrics.test_accuracy
    const shown = accuracy === undefined ? '' : `${(accuracy * 100).toFixed(2)} %`
    const cells = [job.name, job.state, ago(new Date(job.started)), job.template || 'own command', shown]
    return isAll ? [...cells, job.user] : cells
  })
  return formatTable(columns, rows)
}
