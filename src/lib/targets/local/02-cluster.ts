import {access, mkdir, rm} from 'node:fs/promises'

import type {Context} from '../../context.js'
import {describeFileError} from '../../errors.js'
import {formatArgv} from '../../tools/exec.js'
import {folderSize} from '../../tools/folder-size.js'
import {ensureStateFolder} from '../../tools/state-folder.js'
import type {DestroyOptions, Kept, Phase, PhaseState, Step} from '../../types/phase.js'
import {isBucket} from './bucket.js'
import {readKey, readOrMakeKey} from './credentials.js'
import {layoutOf} from './layout.js'
import {choosePorts, portsAreChosen} from './ports.js'
import {mendRecords, servicesWithoutRecord} from './service.js'

/** Keys that are made once: a lost one would lock people out of what it protects. */
export const RAY_TOKEN = 'ray-token'
export const MLFLOW_KEY = 'mlflow-secret-key'

/** Folders, ports and keys. */
export const clusterPhase: Phase = {
  id: '02-cluster',
  needs: ['01-prepare'],
  summary: 'Choose folders, ports and keys on this machine',
  status: clusterState,
  apply: async context => [
    {
      id: 'folders',
      title: 'Making folders',
      plan: [formatArgv(['mkdir', '-m', '700', ...folders(context)])],
      run: () => makeFolders(context),
    },
    {
      id: 'ports',
      title: 'Choosing ports',
      plan: [`Keep three free ports in ${layoutOf(context).ports}`],
      run: async () => void (await choosePorts(context)),
    },
    {
      id: 'services',
      title: 'Finding services that run',
      plan: [`Write what runs into ${layoutOf(context).services}, where a record is lost`],
      run: () => mendRecords(context),
    },
    {
      id: 'keys',
      title: 'Making keys',
      plan: [`Write two keys into ${layoutOf(context).credentials}, for you alone`],
      run: async () => void (await Promise.all([RAY_TOKEN, MLFLOW_KEY].map(name => readOrMakeKey(context, name)))),
    },
  ],
  destroy: async (context, {deleteData}) => (deleteData ? [await deletion(context)] : []),
  kept,
}

function folders(context: Context): string[] {
  const {artifacts, credentials, data, logs, services, storage} = layoutOf(context)
  return [credentials, logs, services, data, ...[artifacts, storage].filter(path => !isBucket(path))]
}

async function makeFolders(context: Context): Promise<void> {
  await ensureStateFolder(context.stateDir)
  for (const folder of folders(context)) {
    await mkdir(folder, {recursive: true, mode: 0o700}).catch(error => {
      throw describeFileError(error, folder)
    })
  }
}

async function clusterState(context: Context): Promise<PhaseState> {
  const [keys, isChosen, missing, lost] = await Promise.all([
    Promise.all([RAY_TOKEN, MLFLOW_KEY].map(name => readKey(context, name))),
    portsAreChosen(context),
    missingFolder(context),
    servicesWithoutRecord(context),
  ])
  if (!isChosen && keys.every(key => key === undefined)) return {kind: 'absent'}
  if (!isChosen) return {kind: 'drifted', why: 'the ports are not those of the settings'}
  if (keys.includes(undefined)) return {kind: 'drifted', why: 'a key is missing or damaged'}
  if (lost.length > 0) return {kind: 'drifted', why: `the record of ${lost.join(' and ')} is lost or damaged`}
  return missing ? {kind: 'drifted', why: `${missing} is missing`} : {kind: 'ready', detail: context.stateDir}
}

async function missingFolder(context: Context): Promise<string | undefined> {
  for (const folder of folders(context)) {
    const isThere = await access(folder).then(
      () => true,
      () => false,
    )
    if (!isThere) return folder
  }
  return undefined
}

/** Only what is ours: the data, keys and logs of this profile; artifacts elsewhere are the person's own. */
async function deletion(context: Context): Promise<Step> {
  const {credentials, data, environment, logs, ports, services} = layoutOf(context)
  const ours = [data, credentials, logs, services, ports, environment]
  return {
    id: 'delete-data',
    title: 'Deleting runs, models and keys',
    plan: ours.map(path => `rm -r ${path}`),
    async run() {
      for (const path of ours) await rm(path, {recursive: true, force: true})
    },
  }
}

async function kept(context: Context, {deleteData}: DestroyOptions): Promise<readonly Kept[]> {
  const {artifacts, data, storage} = layoutOf(context)
  const {store} = context.profile.settings.mlflow
  const bytes = deleteData ? 0 : await folderSize(data)
  const elsewhere = [
    {what: 'models and files', where: artifacts},
    {what: 'checkpoints', where: storage},
  ].filter(({where}) => !where.startsWith(data))
  return [
    ...(bytes > 0 ? [{what: 'runs, models and checkpoints', where: data, bytes, monthlyPrice: 0}] : []),
    ...(store === undefined ? [] : [{what: 'runs and sign-ins', where: store}]),
    ...elsewhere.map(one => (isBucket(one.where) ? one : {...one, monthlyPrice: 0})),
  ]
}
