import {MlvError} from '../../errors.js'
import {createMlflowClient} from '../../mlflow/client.js'
import type {Canary} from '../canary.js'
import {adminOf, clientOptions, sharedExperiment} from './bench-experiment.js'

const ALIAS = 'candidate'

/** A version gets its alias, is found by it, and its files come back. */
export const registry: Canary = {
  id: 'registry',
  title: 'A registered model version is found by its alias',
  scope: 'core',
  deadlineSeconds: 60,
  async run(bench) {
    const {context, name} = bench
    const client = await adminOf(bench)
    const experiment = await sharedExperiment(bench)
    const run = await client.runs.create({experimentId: experiment.id, name})
    const source = `${run.artifactUri}/model`
    const content = `artifact_path: model\nflavors: {}\nrun_id: ${run.id}\n`
    await client.artifacts.upload(run.artifactUri, 'model/MLmodel', content)
    bench.traces.add(`the registered model ${name}`, async signal => {
      const cleaner = createMlflowClient(await bench.connection.mlflow(), clientOptions(bench, signal))
      if (await cleaner.registry.get(name)) await cleaner.registry.delete(name)
    })
    await client.registry.create(name)
    const {version} = await client.registry.createVersion({name, source, runId: run.id})
    await client.registry.setAlias(name, ALIAS, version)
    const found = await client.registry.getByAlias(name, ALIAS)
    const file = new TextDecoder().decode(await client.artifacts.read(run.artifactUri, 'model/MLmodel'))
    if (found?.version !== version || found.source !== source || found.status !== 'READY' || file !== content) {
      throw new MlvError('MLV_VERIFY_CANARY', `MLflow does not find version ${version} by the alias ${ALIAS}.`, {
        tryThis: [context.command('logs mlflow')],
      })
    }
    return `version ${version} found by @${ALIAS}`
  },
}
