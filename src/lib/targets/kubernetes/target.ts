import type {Target} from '../../types/target.js'
import {preparePhase} from './01-prepare.js'
import {clusterPhase} from './02-cluster.js'
import {mlflowPhase} from './03-mlflow.js'
import {rayPhase} from './07-ray.js'
import {connectCluster} from './connect.js'
import {clusterHindrances} from './hindrances.js'
import {readPodLog} from './logs.js'
import {readCredential, saveCredential} from './secrets.js'
import {clusterState} from './state.js'

/** Any cluster in a kubeconfig. */
export const kubernetesTarget: Target = {
  name: 'kubernetes',
  programs: ['kubectl', 'helm'],
  phases: [preparePhase, clusterPhase, mlflowPhase, rayPhase],
  state: clusterState,
  readCredential,
  saveCredential,
  connect: connectCluster,
  // An image has its packages: a rerun takes those of the image, which `mlv jobs rerun` says where they differ.
  interpreterWith: async () => 'python',
  hindrances: clusterHindrances,
  logs: readPodLog,
}
