import type {Canary} from '../canary.js'
import {disk} from './disk.js'
import {foreignHost, signIn} from './mlflow-door.js'
import {networkPolicy} from './network-policy.js'
import {noGrant} from './no-grant.js'
import {raySignIn} from './ray-door.js'
import {model, rayJob} from './ray-job.js'
import {registry} from './registry.js'
import {replicas} from './replicas.js'
import {scaling} from './scaling.js'
import {jobsUser, tracking} from './tracking.js'

/** Every canary, in the order in which they are shown. */
export const canaries: readonly Canary[] = [
  signIn,
  foreignHost,
  tracking,
  jobsUser,
  noGrant,
  replicas,
  registry,
  disk,
  raySignIn,
  rayJob,
  model,
  scaling,
  networkPolicy,
]
