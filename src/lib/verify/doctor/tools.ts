import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {resolveTarget} from '../../targets/resolve.js'
import {findPythons} from '../../tools/python.js'
import type {Check, Finding} from './check.js'

const VERSION_DEADLINE_MS = 10_000

export const toolChecks: readonly Check[] = [
  {
    id: 'mlv',
    title: 'mlv',
    group: 'Tools',
    look: async ({context}) => ({
      state: 'good',
      found: `${context.version} on Node ${process.versions.node}, ${process.platform}-${process.arch}`,
    }),
  },
  {id: 'python', title: 'Python', group: 'Tools', look: ({context}) => lookAtPython(context)},
  {id: 'uv', title: 'uv', group: 'Tools', look: ({context}) => lookAtUv(context)},
  {
    id: 'git',
    title: 'git',
    group: 'Tools',
    async look({context}) {
      const version = await versionOf(context, 'git')
      if (version !== undefined) return {state: 'good', found: version.replace(/^git version /, '')}
      return {
        state: 'warning',
        found: 'not on PATH: runs will not record the commit and the patch that they came from',
        fix: [packageLine('git')],
      }
    },
  },
  clusterTool('kubectl', ['version', '--client'], 'https://kubernetes.io/docs/tasks/tools/'),
  clusterTool('helm', ['version', '--short'], 'https://helm.sh/docs/intro/install/'),
]

/** Only for profiles whose target runs it. */
function clusterTool(name: string, version: readonly string[], home: string): Check {
  return {
    id: name,
    title: name,
    group: 'Tools',
    isWanted: async ({context}) => (await resolveTarget(context)).programs?.includes(name) ?? false,
    async look({context}) {
      try {
        const {stdout} = await context.exec.read([name, ...version], {timeoutMs: VERSION_DEADLINE_MS})
        return {state: 'good', found: stdout.trim().split('\n')[0] ?? ''}
      } catch (error) {
        return {state: 'bad', found: (error as Error).message, fix: [`Install ${name}: ${home}`]}
      }
    },
  }
}

async function lookAtPython(context: Context): Promise<Finding> {
  const pythons = await findPythons(context)
  const chosen = context.profile.settings.python.path
  const usable = pythons.filter(({problem}) => problem === undefined)
  const broken = pythons.filter(({problem}) => problem !== undefined)
  const explained = broken.map(({path, problem}) => `${path} ${problem}`).join('; ')
  const chosenProblem = pythons.find(({path}) => path === chosen)?.problem
  if (chosen !== undefined && chosenProblem !== undefined) {
    return {
      state: 'bad',
      found: `python.path of the profile: ${chosen} ${chosenProblem}`,
      fix: usable[0] ? [`Set python.path to ${usable[0].path} in mlv.yaml.`] : [packageLine('python3')],
    }
  }
  if (usable.length === 0) {
    return {
      state: 'bad',
      found: `no usable Python 3.10 to 3.13 on PATH${explained && `: ${explained}`}`,
      fix: [packageLine('python3'), 'Or set python.path in mlv.yaml to one that lies elsewhere.'],
    }
  }
  const list = usable.map(({path, version}) => `${version} (${path})`).join(', ')
  return {state: 'good', found: broken.length > 0 ? `${list}; not usable: ${explained}` : list}
}

async function lookAtUv(context: Context): Promise<Finding> {
  const version = await versionOf(context, 'uv')
  if (version !== undefined) return {state: 'good', found: version}
  const tools = join(context.folders.data, 'tools')
  const own = (await readdir(tools).catch(() => [])).find(name => name.startsWith('uv-'))
  if (own !== undefined) return {state: 'good', found: `mlv's own, ${join(tools, own)}`}
  return {state: 'note', found: `not on PATH; setup puts one into ${tools}`}
}

async function versionOf(context: Context, tool: string): Promise<string | undefined> {
  try {
    const {exitCode, stdout} = await context.exec.read([tool, '--version'], {
      reject: false,
      timeoutMs: VERSION_DEADLINE_MS,
    })
    return exitCode === 0 ? stdout.trim().split('\n')[0] : undefined
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof MlvError) return undefined
    throw error
  }
}

function packageLine(name: string): string {
  if (process.platform === 'darwin') return `brew install ${name}`
  return name === 'python3' ? 'sudo apt-get install python3 python3-venv' : `sudo apt-get install ${name}`
}
