import {statfs} from 'node:fs/promises'

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
  /** The same for all folders of a disk; two disks of one size, one kind and one free space are taken for one. */
  readonly disk: string
}

export async function diskSpace(path: string): Promise<DiskSpace> {
  const {bavail, blocks, bsize, type} = await statfs(path)
  // There is no device number in statfs.
  return {free: bavail * bsize, size: blocks * bsize, disk: `${type}/${blocks}/${bavail}`}
}

/** How full a disk may be for Ray, as a share of it, which is what Ray asks for; by itself it takes 95 %. */
export function rayFullShare({size}: Pick<DiskSpace, 'size'>): number {
  return Math.max(RAY_FULL_SHARE, 1 - RAY_RESERVE_BYTES / size)
}
