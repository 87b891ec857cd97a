import type {Context} from '../context.js'
import type {Secret} from '../tools/secret.js'
import type {Phase, StepProgress} from './phase.js'
import type {StateStore} from './state.js'
import type {Traces} from './traces.js'

export interface MlflowEndpoint {
  /** Without a trailing slash. */
  readonly url: string
  /** Whether the address ends with the command, as a tunnel does. */
  readonly isTunnel?: boolean
  readonly username: string
  readonly password: Secret
  /** Where a person who signs in reads the password; absent where it is not kept in a file. */
  readonly passwordFile?: string
  /** A command that prints it, where that is how a person gets it. */
  readonly passwordCommand?: string
}

/** A machine that can be added. */
export interface MachineShape {
  readonly cpus: number
  readonly gpus: number
  /** How many of it there may be. */
  readonly count: number
}

export interface RayEndpoint {
  /** Of the dashboard, which serves the Jobs API; without a trailing slash. */
  readonly url: string
  /** Whether the address ends with the command, as a tunnel does. */
  readonly isTunnel?: boolean
  readonly token: Secret
  /** Where a person reads what the page asks for; absent where it is not kept in a file. */
  readonly tokenFile?: string
  /** A command that prints it, where that is how a person gets it. */
  readonly tokenCommand?: string
  /** The interpreter that the head's jobs run with. */
  readonly python: string
  /** Whether jobs run where the files of this machine are not: then mlv's own code goes along. */
  readonly isElsewhere?: boolean
  /** What can still be added when jobs ask for it. */
  readonly canAdd?: readonly MachineShape[]
}

export interface RayClientEndpoint {
  readonly address: string
  readonly isTunnel: boolean
  /** What a program has to have in its environment besides the address and the token. */
  readonly variables?: Readonly<Record<string, string>>
}

/** What a job is told: how it reaches MLflow from where it runs, and where its checkpoints go. */
export interface JobsEndpoint {
  readonly trackingUrl: string
  readonly username: string
  /** As the job sees it: a 0600 file or a mounted secret with `{"username", "password"}`. */
  readonly credentialsFile: string
  /** A folder or an s3:// address; each job gets a folder of its name in it. */
  readonly storage: string
  /** Whether each machine has a folder of its own there: then a job may use one machine only. */
  readonly isStorageSplit?: boolean
}

/** The workers of Ray that need no GPU, which come and go with the work. */
export interface Fleet {
  /** Machines that there are now, those with GPUs too. */
  readonly machines: number
  /** How many more of them there may be. */
  readonly room: number
  /** After how many seconds without work one is taken away. */
  readonly idleSeconds: number
}

/** What two strangers saw of Ray's ports: one where Ray is at home, one from elsewhere on the same network. */
export type Knock =
  | {readonly inside: readonly number[]; readonly outside: readonly number[]}
  /** Why nobody could knock: a sentence. */
  | {readonly cannot: string}

/** A Ray cluster that is made for one job and goes with it. */
export interface JobClusterRequest {
  /** The submission id: the same one twice is the same job. */
  readonly id: string
  readonly entrypoint: string
  readonly metadata: Readonly<Record<string, string>>
  readonly runtimeEnv: Readonly<Record<string, unknown>>
  readonly needs: JobNeeds
  /** Where the run's artifacts are served from, without the server's own address. */
  readonly artifacts: string
  /** Archives among them, each with the folder of `JOB_FOLDERS` that it is unpacked to. */
  readonly folders: Readonly<Record<string, string>>
}

/** What a job's own machines have to have room for. */
export interface JobNeeds {
  readonly cpus: number
  readonly gpus: number
  /** How often at once; undefined for as often as there may be room. */
  readonly places: number | undefined
  /** Machines at least. */
  readonly machines: number
}

/** What is known of a job on a cluster of its own; states in Ray's words. */
export interface JobClusterState {
  readonly id: string
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED' | 'SUCCEEDED' | 'FAILED'
  /** Why its cluster failed it, or what it waits for; null where its own words tell. */
  readonly message: string | null
  /** Whether it failed while its cluster would go on trying for ever. */
  readonly isStuck: boolean
  readonly metadata: Readonly<Record<string, string>>
  readonly startTime: number | null
  readonly endTime: number | null
}

/** Ray clusters of jobs' own, where a target can make them. */
export interface JobClusters {
  /** How long one may take to begin. */
  readonly startMs: number
  /** What one can be made of. */
  shapes(): Promise<readonly MachineShape[]>
  /** False where there is one for this id already. */
  create(request: JobClusterRequest): Promise<boolean>
  /** Looks at its pods too, as long as it has not begun. */
  find(id: string): Promise<JobClusterState | undefined>
  list(): Promise<readonly JobClusterState[]>
  /** Its dashboard; undefined where it is not up, or gone. */
  ray(id: string): Promise<RayEndpoint | undefined>
  remove(id: string): Promise<void>
}

/** Where a job on a cluster of its own finds its files, on each machine. */
export const JOB_FOLDERS = {code: '/mnt/job/code', mlvision: '/mnt/job/mlvision'} as const

/** Live addresses of a profile's platform. Each call checks that the thing answers; throws MLV_NOT_RUNNING when not. */
export interface Connection {
  mlflow(): Promise<MlflowEndpoint>
  ray(): Promise<RayEndpoint>
  /** What `ray.init` takes here, without asking whether it answers; `ray://…` is Ray Client. */
  rayClient(): Promise<RayClientEndpoint>
  jobs(): Promise<JobsEndpoint>
  /** What jobs sign in with; read here, where `credentialsFile` may lie elsewhere. */
  jobsUser(): Promise<Credential>
  /** The addresses of the single servers behind MLflow's; absent where there can be but one. */
  mlflowServers?(): Promise<readonly string[]>
  /** Absent where nothing grows. */
  fleet?(): Promise<Fleet>
  /** Knocks at Ray's ports; what is made for it is called by `name`. Absent where there is no network between strangers. */
  knock?(name: string, bench: {readonly signal: AbortSignal; readonly traces: Traces}): Promise<Knock>
  /** Absent where a target has one Ray for all jobs. */
  readonly jobClusters?: JobClusters
  close(): Promise<void>
}

/** The pinned packages that a job runs with, each file as its text. */
export interface Packages {
  /** Of everything but PyTorch, with hashes. */
  readonly lock: string
  /** JSON: PyTorch's packages by exact version. */
  readonly torch: string
  /** What the profile adds; absent where it adds nothing. */
  readonly requirements?: string
}

export type ServiceName = 'mlflow' | 'ray'

export const SERVICE_TITLES: Readonly<Record<ServiceName, string>> = {mlflow: 'MLflow', ray: 'Ray'}

/** Whom jobs sign in to MLflow as. It has no grant but those on the experiments that jobs write to. */
export const JOBS_USER = 'mlv-jobs'

/** A name and password that setup made for a service. */
export interface Credential {
  readonly username: string
  readonly password: Secret
}

/** Something outside Ray that keeps jobs waiting. */
export interface Hindrance {
  /** A sentence. */
  readonly what: string
  /** A command or a sentence. */
  readonly help: string
}

export interface Target {
  readonly name: string
  /** What this target builds in its own way: 01, 02, 03, 07. The others are the same on each (phases/). */
  readonly phases: readonly Phase[]
  /** Programs on PATH that it cannot do without. */
  readonly programs?: readonly string[]
  /** The lock and the record of the phases. */
  state(context: Context): StateStore
  /** Undefined where there is none, or none that can be read. */
  readCredential(context: Context, username: string): Promise<Credential | undefined>
  /** Keeps it where the target's jobs find it: a 0600 file here, a Secret on a cluster. */
  saveCredential(context: Context, credential: Credential): Promise<void>
  connect(context: Context): Connection
  /** Gives an interpreter with exactly these packages for the work of a job; makes it where it is not there yet. */
  interpreterWith(context: Context, packages: Packages, progress: StepProgress): Promise<string>
  /** What keeps the platform, or the job's own cluster, from growing, where it can grow. */
  hindrances?(context: Context, ownClusterOf?: string): Promise<readonly Hindrance[]>
  /** Yields a service's log from its end on: the last `tail` lines, then, with `follow`, what comes. */
  logs(context: Context, service: ServiceName, options: {follow: boolean; tail: number}): AsyncIterable<string>
}
