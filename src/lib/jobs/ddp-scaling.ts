import type {JobEvent} from '../types/job.js'
import {formatTable} from '../ui/table.js'

/** How fast the same training was on several numbers of processes. */
export type Scaling = Omit<Extract<JobEvent, {event: 'scaling'}>, 'event'>

export function scalingOf({batch_size, sizes}: Scaling): Scaling {
  return {batch_size, sizes}
}

/** For people; the batch is stated, since few images a process make any number of processes look bad. */
export function scalingTable({batch_size, sizes}: Scaling): string {
  const isPriced = sizes.some(({cost}) => cost !== null)
  const right = {align: 'right' as const}
  const columns = ['PROCESSES', 'IMAGES/S', 'SPEED-UP', 'EFFICIENCY', 'EPOCH', ...(isPriced ? ['COST AN EPOCH'] : [])]
  const rows = sizes.map(size => [
    String(size.processes),
    size.images_per_second.toFixed(0),
    `${size.speed_up.toFixed(2)}x`,
    `${(size.efficiency * 100).toFixed(0)} %`,
    `${size.epoch_seconds.toFixed(2)} s`,
    ...(isPriced ? [size.cost === null ? '' : size.cost.toFixed(6)] : []),
  ])
  const table = formatTable(
    columns.map(title => ({title, ...right})),
    rows,
  )
  return `${table}\n${batch_size} images a step, of all processes together; the median epoch of each`
}
