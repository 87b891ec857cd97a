import {stat, statfs} from 'node:fs/promises'

const MIB = 1024 ** 2

/**
 * Below it a run ends in the middle: its model, its checkpoints and what MLflow keeps of them. A number of bytes, not a
 * share: a large disk that is 98 % full has room enough.
 */
export const LEAST_FREE_BYTES = 512 * MIB
// Ray stops before mlv complains of the disk, never after.
const RAY_RESERVE_BYTES = 256 * MIB
const RAY_FULL_SHARE = 0.95

export interface DiskSpace {
  readonly free: number
  readonly size: number
  /** The same for all folders of a disk. */
  readonly disk: number
}

export async function diskSpace(path: string): Promise<DiskSpace> {
  const [{bavail, blocks, bsize}, {dev}] = await Promise.all([statfs(path), stat(path)])
  return {free: bavail * bsize, size: blocks * bsize, disk: dev}
}

/** How full a disk may be for Ray, as a share of it, which is what Ray asks for; by itself it takes 95 %. */
export function rayFullShare({size}: Pick<DiskSpace, 'size'>): number {
  return Math.max(RAY_FULL_SHARE, 1 - RAY_RESERVE_BYTES / size)
}
