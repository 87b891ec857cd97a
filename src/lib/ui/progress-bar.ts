import {formatDuration} from './duration.js'

const eighths = [...' ▏▎▍▌▋▊▉']

/** `━━━━╸────` in text: `fraction` of `width` columns filled, to an eighth of a column; `#` and `.` in ASCII. */
export function progressBar(fraction: number, width = 24, ascii = false): string {
  const share = Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0))
  if (ascii) {
    const filled = Math.round(share * width)
    return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`
  }
  const columns = Math.floor(share * width)
  const rest = columns === width ? '' : (eighths[Math.floor((share * width - columns) * 8)] ?? '')
  return `${'█'.repeat(columns)}${rest}`.padEnd(width, '░').replace(' ', '░')
}

export interface Eta {
  /** Tells how many units are done now. */
  update(done: number, now?: number): void
  /** `about 12 s left`; empty until three units are done, and while the estimate jumps. */
  text(): string
}

/** What is left of `total` units, by an exponentially smoothed time per unit. */
export function createEta(total: number, startedAt = performance.now()): Eta {
  const first = {at: startedAt, done: 0}
  let last = first
  let perUnit: number | undefined
  let isSteady = false
  return {
    update(done, now = performance.now()) {
      if (done <= last.done) return
      const latest = (now - last.at) / (done - last.done)
      isSteady = perUnit !== undefined && latest < perUnit * 3 && latest > perUnit / 3
      perUnit = perUnit === undefined ? latest : perUnit * 0.7 + latest * 0.3
      last = {at: now, done}
    },
    text() {
      if (perUnit === undefined || last.done < 3 || !isSteady || last.done >= total) return ''
      const ms = perUnit * (total - last.done)
      return ms < 1000 ? '' : `about ${formatDuration(ms < 10_000 ? Math.ceil(ms / 1000) * 1000 : ms)} left`
    },
  }
}
