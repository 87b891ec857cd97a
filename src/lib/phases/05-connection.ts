import {z} from 'zod'

import type {Context} from '../context.js'
import {createMlflowClient} from '../mlflow/client.js'
import type {Phase, PhaseState} from '../types/phase.js'
import type {Target} from '../types/target.js'

/** Addresses and names only: what proves who one is stays with the target's credentials. */
const connectionSchema = z.object({
  mlflow: z.object({url: z.string(), version: z.string(), username: z.string()}),
  jobs: z.object({tracking_url: z.string(), username: z.string(), storage: z.string()}),
})

type ConnectionRecord = z.infer<typeof connectionSchema>

/** Goes to each address as everything above the target will, and writes down what answered. */
export function connectionPhase(target: Target): Phase {
  return {
    id: '05-connection',
    needs: ['04-users'],
    summary: 'Reach MLflow as people and jobs will',
    status: context => connectionState(context, target),
    apply: async context => [
      {
        id: 'reach',
        title: 'Reaching MLflow from outside',
        plan: ['Sign in to MLflow at its address and ask for its version; write down the addresses'],
        run: async () => target.state(context).write('05-connection', connectionSchema, await reach(context, target)),
      },
    ],
    destroy: async context =>
      (await target.state(context).read('05-connection', connectionSchema))
        ? [
            {
              id: 'forget',
              title: 'Forgetting the addresses',
              run: () => target.state(context).remove('05-connection'),
            },
          ]
        : [],
  }
}

async function connectionState(context: Context, target: Target): Promise<PhaseState> {
  const recorded = await target.state(context).read('05-connection', connectionSchema)
  if (!recorded) return {kind: 'absent'}
  const found = await reach(context, target)
  if (found.mlflow.url !== recorded.mlflow.url) {
    return {kind: 'drifted', why: `MLflow moved from ${recorded.mlflow.url} to ${found.mlflow.url}`}
  }
  if (JSON.stringify(found) !== JSON.stringify(recorded)) return {kind: 'drifted', why: 'what answers has changed'}
  return {kind: 'ready', detail: `MLflow ${found.mlflow.version} at ${found.mlflow.url}`}
}

async function reach(context: Context, target: Target): Promise<ConnectionRecord> {
  const connection = target.connect(context)
  try {
    const [mlflow, jobs] = await Promise.all([connection.mlflow(), connection.jobs()])
    const version = await createMlflowClient(mlflow, context).version()
    return {
      mlflow: {url: mlflow.url, version, username: mlflow.username},
      jobs: {tracking_url: jobs.trackingUrl, username: jobs.username, storage: jobs.storage},
    }
  } finally {
    await connection.close()
  }
}
