import type {Canary} from '../canary.js'
import {disk} from './disk.js'
import {foreignHost, signIn} from './mlflow-door.js'
import {raySignIn} from './ray-door.js'
import {model, rayJob} from './ray-job.js'
import {registry} from './registry.js'
import {jobsUser, tracking} from './tracking.js'

/** Every canary, in the order in which they are shown. */
export const canaries: readonly Canary[] = [
  signIn,
  foreignHost,
  tracking,
  jobsUser,
  registry,
  disk,
  raySignIn,
  rayJob,
  model,
]
