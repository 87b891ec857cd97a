// What every measurement needs: timing of whole processes, medians, and waiting for a line.
import {spawn, spawnSync} from 'node:child_process'
import {performance} from 'node:perf_hooks'

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Seconds that a process takes from spawn to exit. */
export function timeProcess(argv, options = {}) {
  const began = performance.now()
  const {status, stderr} = spawnSync(argv[0], argv.slice(1), {encoding: 'utf8', ...options})
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${stderr}`)
  return (performance.now() - began) / 1000
}

/** Runs commands in turn, A B A B …, after one round that is not counted; returns the median seconds of each. */
export function pairedMedians(commands, {options = {}, runs = 5} = {}) {
  const times = commands.map(() => [])
  for (let round = 0; round <= runs; round++) {
    for (const [index, argv] of commands.entries()) {
      const seconds = timeProcess(argv, options)
      if (round > 0) times[index].push(seconds)
    }
  }
  return times.map(median)
}

/** Follows a process's output; resolves with the seconds to the first line that matches and to the end. */
export function timeLines(argv, pattern, options = {}) {
  const began = performance.now()
  const child = spawn(argv[0], argv.slice(1), {stdio: ['ignore', 'pipe', 'pipe'], ...options})
  const seconds = () => (performance.now() - began) / 1000
  let text = ''
  let first
  let match
  const onData = data => {
    text += data
    match ??= text.match(pattern) ?? undefined
    if (match) first ??= seconds()
  }
  child.stdout.on('data', onData)
  child.stderr.on('data', onData)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code =>
      first === undefined || code !== 0
        ? reject(new Error(`${argv.join(' ')}: exit ${code}\n${text}`))
        : resolve({end: seconds(), endedAt: Date.now() / 1000, first, match: text.match(pattern), text}),
    )
  })
}

/** One row of docs/benchmarks.md. `ratio` is ours / against, or against / ours where more is better. */
export function row(what, ours, against, ratio, aim, isGood) {
  return {against, aim, isGood, ours, ratio, what}
}

export const formatSeconds = value => (value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`)
