import {createMlflowClient} from '../../mlflow/client.js'
import type {Canary} from '../canary.js'
import {adminOf, clientOptions, temporaryExperiment, temporaryUser} from './bench-experiment.js'
import {mustBeDenied} from './tracking.js'

/** Whoever signs in sees nothing of others until somebody grants it. */
export const noGrant: Canary = {
  id: 'no-grant',
  title: 'A user without a grant is refused with 403',
  scope: 'core',
  deadlineSeconds: 60,
  async run(bench) {
    const admin = await adminOf(bench)
    const name = `${bench.name}-closed`
    const [{id}, user] = await Promise.all([temporaryExperiment(bench, name), temporaryUser(bench, name)])
    const run = await admin.runs.create({experimentId: id, name})
    const {url} = await bench.connection.mlflow()
    const stranger = createMlflowClient({url, ...user}, clientOptions(bench))
    const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
      'read a run': () => stranger.runs.get(run.id),
      'make a run': () => stranger.runs.create({experimentId: id, name}),
      'log to a run': () => stranger.runs.setTag(run.id, 'canary', 'x'),
      'delete a run': () => stranger.runs.delete(run.id),
      'delete an experiment': () => stranger.experiments.delete(id),
      'grant itself a right': () => stranger.users.grant(user.username, 'experiment', id, 'READ'),
    }
    for (const [what, attempt] of Object.entries(attempts))
      await mustBeDenied(bench, `A user without a grant may ${what}`, attempt)
    return `403 to each of: ${Object.keys(attempts).join(', ')}`
  },
}
