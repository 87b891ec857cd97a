import {formatSeconds, median, row, timeLines} from './measure.mjs'

const ROUNDS = 5
// Prints the moment at which the job's own program ends, so that the wait after it can be told.
const PROGRAM = "import time; print('first-line', flush=True); print('ended-at', time.time(), flush=True)"

/** From the command to the job's first line, and from the job's end to the command's, against Ray's own command. */
export async function jobLatency(workshop) {
  const {bin, node} = workshop
  const {environment, project, python, ray} = await workshop.platform()
  const ours = {first: [], tail: []}
  const rays = {first: [], tail: []}
  const rayEnvironment = {...environment, RAY_AUTH_MODE: 'token', RAY_AUTH_TOKEN_PATH: ray.tokenFile}
  const cases = [
    [
      rays,
      [python, '-m', 'ray.scripts.scripts', 'job', 'submit', '--address', ray.url, '--', python, '-c', PROGRAM],
      rayEnvironment,
    ],
    [ours, [node, bin, 'train', '--', 'python', '-c', PROGRAM], environment],
  ]
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [into, argv, env] of cases) {
      const {endedAt, first, text} = await timeLines(argv, /^.*first-line$/m, {cwd: project, env})
      const jobEnd = Number(text.match(/ended-at ([\d.]+)/)?.[1])
      if (round === 0) continue
      into.first.push(first)
      into.tail.push(endedAt - jobEnd)
    }
  }
  const ratio = median(ours.first) / median(rays.first)
  const tail = median(ours.tail)
  return [
    row(
      'submit → first line of the job',
      formatSeconds(median(ours.first)),
      `\`ray job submit\` ${formatSeconds(median(rays.first))}`,
      `${ratio.toFixed(2)}×`,
      '≤ 0.6×',
      ratio <= 0.6,
    ),
    row(
      "end of the job's program → end of the command",
      formatSeconds(tail),
      `\`ray job submit\` ${formatSeconds(median(rays.tail))}`,
      '—',
      '≤ 0.5 s',
      tail <= 0.5,
    ),
  ]
}
