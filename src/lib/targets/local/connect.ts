import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {type Connection, JOBS_USER} from '../../types/target.js'
import {RAY_TOKEN} from './02-cluster.js'
import {ADMIN, isMlflowUp, mlflowUrl} from './03-mlflow.js'
import {isRayUp, rayUrl, STAY_ON_LOOPBACK} from './07-ray.js'
import {fileOf, readCredential, readKey} from './credentials.js'
import {readEnvironmentRecord} from './environment.js'
import {layoutOf} from './layout.js'
import {readPorts} from './ports.js'
import {livingService} from './service.js'

/** The live addresses on this machine; each is asked before it is given. */
export function connectLocal(context: Context): Connection {
  const notRunning = (what: string) =>
    new MlvError('MLV_NOT_RUNNING', `${what} of profile ${context.profile.name} is not running.`, {
      tryThis: [context.command('setup'), context.command('status')],
    })
  return {
    async mlflow() {
      const [url, admin, living] = await Promise.all([
        mlflowUrl(context),
        readCredential(context, ADMIN),
        livingService(context, 'mlflow'),
      ])
      // What answers at the port of a server that has ended is somebody else's: it must not be told the password.
      if (!url || !admin || !living || !(await isMlflowUp(url))) throw notRunning('MLflow')
      return {url, ...admin, passwordFile: fileOf(context, ADMIN)}
    },
    async ray() {
      const [url, token, environment, living] = await Promise.all([
        rayUrl(context),
        readKey(context, RAY_TOKEN),
        readEnvironmentRecord(context),
        livingService(context, 'ray'),
      ])
      if (!url || !token || !environment || !living || !(await isRayUp(url, token.reveal()))) throw notRunning('Ray')
      return {url, token, tokenFile: layoutOf(context).credential(RAY_TOKEN), python: environment.python}
    },
    async rayClient() {
      const ports = await readPorts(context)
      if (!ports) throw notRunning('Ray')
      return {address: `127.0.0.1:${ports.gcs}`, isTunnel: false, variables: STAY_ON_LOOPBACK}
    },
    async jobs() {
      const trackingUrl = await mlflowUrl(context)
      if (!trackingUrl) throw notRunning('MLflow')
      const {storage} = layoutOf(context)
      return {trackingUrl, username: JOBS_USER, credentialsFile: fileOf(context, JOBS_USER), storage}
    },
    async jobsUser() {
      const credential = await readCredential(context, JOBS_USER)
      if (!credential) throw notRunning('MLflow')
      return credential
    },
    close: async () => undefined,
  }
}
