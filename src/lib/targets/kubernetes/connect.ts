import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {formatArgv} from '../../tools/exec.js'
import {statusOf} from '../../tools/http.js'
import {rayClusterPlanSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {Secret} from '../../tools/secret.js'
import {type Connection, JOBS_USER, type MachineShape, SERVICE_TITLES, type ServiceName} from '../../types/target.js'
import {readFleet, readServers} from './fleet.js'
import {ingressAddress, unreached} from './ingress.js'
import {jobClusters} from './job-clusters.js'
import {knockAtRay} from './knock.js'
import {
  ADMIN,
  CLAIM_FOLDER,
  CREDENTIALS_FOLDER,
  MLFLOW_PORT,
  RAY_CLIENT_PORT,
  RAY_HEAD,
  RAY_PORT,
  RELEASES,
  rayClusterPath,
  SECRETS,
} from './names.js'
import {shapeOf} from './ray-job.js'
import {fileOfUser, readCredential, readSecret} from './secrets.js'
import {claimOf} from './values.js'

const ANSWER_MS = 20_000
const SERVICES: Readonly<Record<ServiceName, string>> = {mlflow: RELEASES.mlflow, ray: RAY_HEAD}
/** Of one pod: gone with it. */
const POD_STORAGE = '/tmp/mlv/checkpoints'

/** The live addresses, through tunnels that last as long as the command. */
export function connectCluster(context: Context): Connection {
  const notRunning = (what: string, cause?: unknown) =>
    new MlvError('MLV_NOT_RUNNING', `${what} of profile ${context.profile.name} is not running.`, {
      cause,
      tryThis: [context.command('setup'), context.command('status')],
    })
  const reach = async (
    name: ServiceName,
    service: string,
    port: number,
    ask: (url: string) => Promise<number | undefined>,
  ) => {
    const what = SERVICE_TITLES[name]
    // The cluster of one job alone has no address of its own.
    const address = service === SERVICES[name] ? ingressAddress(context, name) : undefined
    if (address !== undefined) {
      const answer = await ask(address)
      if (answer === 200) return {url: address}
      throw await unreached(context, name, answer)
    }
    const kube = await context.kube()
    const local = await kube.tunnel(`service/${service}`, port).catch(error => {
      throw error instanceof MlvError && error.code === 'MLV_TUNNEL' ? notRunning(what, error) : error
    })
    const url = `http://127.0.0.1:${local}`
    if ((await ask(url)) !== 200) throw notRunning(what)
    return {url, isTunnel: true}
  }
  const reachRay = async (service: string, port: number, canAdd?: readonly MachineShape[]) => {
    const found = await readSecret(await context.kube(), SECRETS.ray)
    const token = new Secret(found?.auth_token ?? '')
    const headers = {authorization: `Bearer ${token.reveal()}`}
    const reached = await reach('ray', service, port, at => status(`${at}/api/jobs/`, headers))
    const tokenCommand = secretCommand(await context.kube(), SECRETS.ray, 'auth_token')
    return {...reached, token, tokenCommand, python: 'python', isElsewhere: true, ...(canAdd && {canAdd})}
  }
  const jobs = async () => {
    const {kubernetes, storage} = context.profile.settings
    return {
      trackingUrl: `http://${RELEASES.mlflow}.${kubernetes.namespace}.svc:${MLFLOW_PORT}`,
      username: JOBS_USER,
      credentialsFile: `${CREDENTIALS_FOLDER}/${fileOfUser(JOBS_USER)}`,
      storage: claimOf(storage) === undefined ? (storage ?? POD_STORAGE) : CLAIM_FOLDER,
      isStorageSplit: storage === undefined,
    }
  }
  return {
    async mlflow() {
      const kube = await context.kube()
      const [reached, admin] = await Promise.all([
        reach('mlflow', RELEASES.mlflow, MLFLOW_PORT, at => status(`${at}/health`)),
        readCredential(context, ADMIN),
      ])
      if (!admin) throw notRunning('MLflow')
      return {...reached, ...admin, passwordCommand: secretCommand(kube, SECRETS.mlflow, 'admin-password')}
    },
    ray: async () => reachRay(RAY_HEAD, RAY_PORT, await shapes(await context.kube())),
    async rayClient() {
      const kube = await context.kube()
      return {address: `ray://127.0.0.1:${await kube.tunnel(`service/${RAY_HEAD}`, RAY_CLIENT_PORT)}`, isTunnel: true}
    },
    jobs,
    jobClusters: jobClusters(context, {jobs, reach: reachRay}),
    async jobsUser() {
      const credential = await readCredential(context, JOBS_USER)
      if (!credential) throw notRunning('MLflow')
      return credential
    },
    async mlflowServers() {
      const [kube, pods] = await Promise.all([context.kube(), readServers(context)])
      const ports = await Promise.all(pods.map(name => kube.tunnel(`pod/${name}`, MLFLOW_PORT)))
      return ports.map(port => `http://127.0.0.1:${port}`)
    },
    fleet: () => readFleet(context),
    knock: (name, bench) => knockAtRay(context, name, bench),
    // Tunnels are the session's: the next connection of the same command finds them open.
    close: async () => undefined,
  }
}

function secretCommand({context, namespace}: Kube, secret: string, key: string): string {
  const jsonpath = `-o jsonpath='{.data.${key}}'`
  return `kubectl --context ${formatArgv([context])} -n ${namespace} get secret ${secret} ${jsonpath} | base64 -d`
}

const status = (url: string, headers: Record<string, string> = {}) => statusOf(url, {headers, timeoutMs: ANSWER_MS})

/** What the autoscaler may add: a job that fits in none of it never runs. */
async function shapes(kube: Kube): Promise<MachineShape[]> {
  const cluster = await kube.get(rayClusterPath(kube.namespace, RELEASES.ray), rayClusterPlanSchema)
  return (cluster?.spec.workerGroupSpecs ?? []).map(shapeOf)
}
