import type {Target} from '../../types/target.js'
import {preparePhase} from './01-prepare.js'
import {clusterPhase} from './02-cluster.js'
import {mlflowPhase} from './03-mlflow.js'
import {rayPhase} from './07-ray.js'
import {interpreterWith} from './build-environment.js'
import {connectLocal} from './connect.js'
import {readCredential, saveCredential} from './credentials.js'
import {readLog} from './logs.js'
import {localState} from './state.js'

/** Processes on this machine: no Docker, no account. */
export const localTarget: Target = {
  name: 'local',
  phases: [preparePhase, clusterPhase, mlflowPhase, rayPhase],
  state: localState,
  readCredential,
  saveCredential,
  connect: connectLocal,
  interpreterWith,
  logs: readLog,
}
