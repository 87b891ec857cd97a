import type {Context} from '../context.js'
import {withPlatform} from '../jobs/platform.js'
import type {JobClient} from '../jobs/ray-client.js'
import {isEnded, stateOfRay} from '../jobs/states.js'

const SHOWN = 5

/** Names the jobs that end with the platform. One that does not answer has none that could be named. */
export async function tellRunningJobs(context: Context): Promise<void> {
  const running = await withPlatform(context, async platform => {
    const lists = [platform.ray(), platform.ownJobs()].map(client => client.then(namesOf).catch(() => []))
    return (await Promise.all(lists)).flat()
  }).catch(() => [])
  if (running.length === 0) return
  const [count, more] = [running.length, running.length - SHOWN]
  const names = running.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
  context.reporter.warn(
    count === 1 ? `The job ${names} is running, and ends now.` : `${count} jobs are running, and end now: ${names}.`,
  )
}

async function namesOf(client: JobClient | undefined): Promise<string[]> {
  const jobs = (await client?.list()) ?? []
  return jobs.flatMap(({status, submission_id: id}) => (isEnded(stateOfRay(status)) ? [] : [id ?? '']))
}
