import {join} from 'node:path'

import type {Context} from '../../context.js'
import {writeFileAtomic} from '../../tools/atomic-file.js'
import {formatArgv} from '../../tools/exec.js'
import {ensureStateFolder} from '../../tools/state-folder.js'
import type {Phase, PhaseState} from '../../types/phase.js'
import {buildEnvironment, buildLayer, isComplete, pythonOf, torchArguments} from './build-environment.js'
import {warnDamaged} from './credentials.js'
import {readEnvironmentRecord, recordDigest, type WantedEnvironment, wantedEnvironment} from './environment.js'
import {layoutOf} from './layout.js'

/** The Python environment that the servers and the jobs run in; shared by all projects of a user. */
export const preparePhase: Phase = {
  id: '01-prepare',
  needs: [],
  summary: 'Make the Python environment for MLflow, Ray and jobs',
  status: prepareState,
  async apply(context) {
    const wanted = await wantedEnvironment(context)
    const layer = wanted.requirements
    const torch = torchArguments(wanted)
    return [
      {
        id: 'environment',
        title: 'Installing Python packages',
        plan: [
          formatArgv(['uv', 'venv', wanted.folder]),
          formatArgv([
            'uv',
            'pip',
            'install',
            '--require-hashes',
            '-r',
            join(context.packageDir, 'python/requirements.lock'),
          ]),
          ...(torch.length > 0 ? [formatArgv(['uv', 'pip', 'install', ...torch])] : []),
        ],
        run: progress => buildEnvironment(context, wanted, progress),
      },
      ...(layer
        ? [
            {
              id: 'layer',
              title: "Installing the project's own packages",
              plan: [formatArgv(['uv', 'pip', 'install', '-r', layer.path])],
              run: (progress: Parameters<typeof buildLayer>[2]) => buildLayer(context, wanted, progress),
            },
          ]
        : []),
      {
        id: 'record',
        title: 'Asking the environment for MLflow and Ray',
        plan: [`Write down the interpreter in ${layoutOf(context).environment}`],
        run: () => recordEnvironment(context, wanted),
      },
    ]
  },
  // The environment is a cache that other projects use too: teardown leaves it, `rm -r` of the cache folder is safe.
  destroy: async () => [],
}

async function prepareState(context: Context): Promise<PhaseState> {
  const record = await readEnvironmentRecord(context)
  if (!record) return {kind: 'absent'}
  const folder = join(record.python, '../..')
  if (!(await isComplete(folder))) return {kind: 'drifted', why: `the environment ${folder} is gone`}
  return {kind: 'ready', detail: folder}
}

/** Proves that the interpreter starts and finds what it needs, then writes it down. */
async function recordEnvironment(context: Context, wanted: WantedEnvironment): Promise<void> {
  const python = pythonOf(wanted.requirements?.folder ?? wanted.folder)
  // Found, not imported: importing all of it takes many seconds and is what the services do next.
  const question =
    "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(n) is None for n in ('mlflow', 'ray', 'torch', 'torchvision', 'sklearn')))"
  await context.exec.read([python, '-c', question])
  await ensureStateFolder(context.stateDir)
  if (!(await readEnvironmentRecord(context, {isAnyDigest: true})))
    await warnDamaged(context, layoutOf(context).environment)
  await writeFileAtomic(
    layoutOf(context).environment,
    `${JSON.stringify({python, digest: await recordDigest(context)})}\n`,
  )
}
