import {formatSeconds, pairedMedians, row} from './measure.mjs'

/** How long the command line itself takes, against an empty program in the same Node. */
export async function cliStart(workshop) {
  const {bin, node} = workshop
  const {environment, project} = await workshop.platform()
  const cases = [
    ['`mlv --version`', ['--version'], 1.5],
    ['`mlv --help`', ['--help'], 3],
    ['`mlv jobs list`', ['jobs', 'list'], 8],
  ]
  return cases.map(([what, args, aim]) => {
    const [empty, ours] = pairedMedians(
      [
        [node, '-e', '0'],
        [node, bin, ...args],
      ],
      {
        options: {cwd: project, env: environment},
        runs: 15,
      },
    )
    const ratio = ours / empty
    return row(
      what,
      formatSeconds(ours),
      `\`node -e 0\` ${formatSeconds(empty)}`,
      `${ratio.toFixed(2)}×`,
      `≤ ${aim}×`,
      ratio <= aim,
    )
  })
}
