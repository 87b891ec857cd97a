import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {formatSeconds, median, row} from './measure.mjs'
import {startOneAfterTheOther} from './plain-platform.mjs'
import {expectGood} from './workshop.mjs'

const ROUNDS = 5

/** `mlv setup` where everything is there already. */
export async function nothingToDo(workshop) {
  const {journey} = await workshop.platform()
  const seconds = []
  for (let round = 0; round <= ROUNDS; round++) {
    const ended = await expectGood(journey.mlv('setup'))
    if (round > 0) seconds.push(ended.seconds)
  }
  const ours = median(seconds)
  return [row('setup with nothing to do', formatSeconds(ours), '—', '—', '< 2 s', ours < 2)]
}

/** From the command to the moment when both services have proved themselves; the Python environment is there. */
export async function firstStart(workshop) {
  const {python} = await workshop.platform()
  const [ours, plain, whole] = [[], [], []]
  for (let round = 0; round <= ROUNDS; round++) {
    const one = await startOneAfterTheOther(python)
    const journey = await workshop.newProject()
    const began = Date.now()
    const ended = await expectGood(journey.mlv('setup', '--yes'))
    const healthy = await bothHealthy(journey)
    await expectGood(journey.mlv('teardown', '--yes'))
    if (round === 0) continue
    plain.push(one)
    ours.push((healthy - began) / 1000)
    whole.push(ended.seconds)
  }
  const ratio = median(ours) / median(plain)
  return [
    row(
      'first start, MLflow and Ray healthy',
      `${formatSeconds(median(ours))} (the whole command, with its proofs: ${formatSeconds(median(whole))})`,
      `one after the other ${formatSeconds(median(plain))}`,
      `${ratio.toFixed(2)}×`,
      '≤ 0.65×',
      ratio <= 0.65,
    ),
  ]
}

async function bothHealthy({stateDir}) {
  const lines = (await readFile(join(stateDir, 'journal.jsonl'), 'utf8')).trim().split('\n')
  const ends = lines
    .map(line => JSON.parse(line))
    .filter(({event, phase}) => event === 'phase-ended' && /^0[37]/.test(phase))
  return Math.max(...ends.map(({at}) => Date.parse(at)))
}
