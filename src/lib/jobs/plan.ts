import {basename} from 'node:path'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {loadTemplate, type Template} from '../templates/load-template.js'
import {type ParameterValues, parameterValues} from '../templates/parameters.js'
import {render} from '../templates/render.js'
import {formatArgv} from '../tools/exec.js'
import type {Isolation, JobKind, JobSpec} from '../types/job.js'
import type {Packages} from '../types/target.js'
import {checkName, makeName} from './names.js'
import {retyped} from './retype.js'
import {checkNamed, listUpload, type UploadList} from './upload-files.js'
import {type Package, pack} from './upload-package.js'

/** What was typed after `mlv train`. */
export interface TrainRequest {
  readonly template?: string | undefined
  /** The person's own command, after `--`. */
  readonly argv?: readonly string[] | undefined
  readonly file?: string | undefined
  readonly name?: string | undefined
  readonly model?: string | undefined
  readonly dataset?: string | undefined
  readonly epochs?: string | undefined
  readonly set?: string | readonly string[] | undefined
  readonly cpus?: number | undefined
  readonly gpus?: number | undefined
  readonly register?: string | undefined
  readonly idempotencyKey?: string | undefined
  readonly experiment?: string | undefined
  readonly isolation?: Isolation | undefined
  /** The command line, to be kept with the run. */
  readonly words: readonly string[]
}

/** The code that goes along. */
export interface PlannedUpload {
  readonly list: Pick<UploadList, 'bytes' | 'leftOut'> & {readonly files: readonly {path: string; bytes: number}[]}
  pack(): Promise<Package>
}

/** One job, decided but for what only the platform knows. */
export interface JobPlan {
  readonly kind: JobKind
  readonly name: string
  readonly isNameChosen: boolean
  readonly submissionId: string
  readonly template: string | null
  readonly experiment: string
  readonly resources: JobSpec['resources']
  readonly retries: number
  /** Whether it gets a Ray cluster of its own, where somebody said so. */
  readonly isolation?: Isolation | undefined
  readonly work: JobSpec['work']
  readonly register: JobSpec['register']
  readonly parameters: ParameterValues
  /** Undefined where the job needs nothing but mlv's own package. */
  readonly upload: PlannedUpload | undefined
  readonly commandLine: string
  /** The same as it was typed, from `mlv` on. */
  readonly words: readonly string[]
  readonly rerunOf?: string
  /** The patch and the packages of the job that is run again, instead of today's. */
  readonly saved?: {
    readonly patch: string | undefined
    readonly packages: Packages | undefined
    readonly commit: string
  }
  /** The interpreter of the work, where it is not the platform's own. */
  readonly python?: string
}

const DEFAULT_TEMPLATE = 'digits'
const RETRIES = 2

/** Decides everything about a job that can be decided here; every wrong word of the request ends here. */
export async function planJob(context: Context, request: TrainRequest): Promise<JobPlan> {
  checkNames(context, request)
  const decided = request.argv ? await ofCommand(context, request, request.argv) : await ofTemplate(context, request)
  const {isolation, stem, ...rest} = decided
  return {
    ...rest,
    ...asAsked(request, {stem, isolation, experiment: decided.experiment, alias: 'candidate'}),
    kind: 'train',
    resources: {cpus: request.cpus ?? decided.resources.cpus, gpus: request.gpus ?? decided.resources.gpus},
    retries: RETRIES,
  }
}

type Named = Pick<TrainRequest, 'experiment' | 'idempotencyKey' | 'isolation' | 'name' | 'register' | 'words'>

/** Refuses names that a folder, Ray or MLflow would change, before anything else is looked at. */
export function checkNames({command}: Pick<Context, 'command'>, request: Named): void {
  const {idempotencyKey, name, register, words} = request
  const again = (flag: string, value: string) =>
    command(retyped(words, flag === '--name' ? [flag, '-n'] : [flag], value))
  if (name !== undefined) checkName(name, '--name', again)
  if (idempotencyKey !== undefined) checkName(idempotencyKey, '--idempotency-key', again)
  if (register !== undefined) checkName(register, '--register', again)
}

interface Stem {
  readonly stem: string
  /** The template's. */
  readonly isolation: Isolation | undefined
}

/** What every kind of job takes from its request in the same way. */
export function asAsked(
  request: Named,
  {alias, experiment, isolation, stem}: Stem & {experiment: string; alias: string},
): Pick<
  JobPlan,
  'commandLine' | 'experiment' | 'isNameChosen' | 'isolation' | 'name' | 'register' | 'submissionId' | 'words'
> {
  const name = request.name ?? makeName(stem)
  return {
    name,
    isNameChosen: request.name !== undefined,
    submissionId: request.idempotencyKey ?? name,
    experiment: request.experiment ?? experiment,
    register: request.register === undefined ? null : {model: request.register, alias},
    commandLine: formatArgv(request.words),
    words: request.words,
    isolation: request.isolation ?? isolation,
  }
}

type Decided = Pick<JobPlan, 'experiment' | 'parameters' | 'resources' | 'template' | 'upload' | 'work'> & Stem

async function ofTemplate(context: Context, request: TrainRequest): Promise<Decided> {
  const template = await templateOf(context, request, DEFAULT_TEMPLATE)
  if (template.kind !== 'train') throw wrongKind(context, template)
  const parameters = await parameterValues(context, {...request, template})
  const {filesDir, resources, work} = render(template, parameters)
  const folder = filesDir ?? ownCode(context, template)
  const upload = folder === undefined ? undefined : await uploadOf(folder)
  if (upload && work.type === 'command') checkNamed(upload.list, work.argv)
  return {
    stem: template.name,
    isolation: template.isolation,
    template: template.name,
    experiment: template.name,
    parameters,
    resources,
    work,
    upload,
  }
}

/** The template that was asked for; for a name that is not quite one the error has the whole line with the right one. */
export function templateOf(
  context: Context,
  {template, words}: Pick<TrainRequest, 'template' | 'words'>,
  byDefault: string,
): Promise<Template> {
  const at = words.findIndex((word, index) => index > 1 && word === template && !words[index - 1]?.startsWith('-'))
  return loadTemplate(context, template ?? byDefault, meant => {
    return formatArgv(words.map((word, index) => (index === at ? meant : word)).slice(1))
  })
}

export async function uploadOf(folder: string): Promise<PlannedUpload & {list: UploadList}> {
  const list = await listUpload(folder)
  return {list, pack: () => pack(list)}
}

/** What a template gives its jobs, unless they say otherwise. */
export const ofTemplateItself = ({isolation, name}: Template) => ({stem: name, experiment: name, isolation})

/** A template is made for one command. */
export function wrongKind({command}: Context, {kind, name}: Template): MlvError {
  return new MlvError('MLV_JOB_COMMAND', `Template ${name} is made for \`${command(kind)}\`.`, {
    tryThis: [command(`${kind} ${name}`), command('templates list')],
  })
}

/** A command of the project's own template runs the project's own code; mlvision needs none of it. */
function ownCode({cwd}: Context, template: Template): string | undefined {
  return template.source === 'project' && !('mlvision' in template.work) ? cwd : undefined
}

async function ofCommand(context: Context, request: TrainRequest, argv: readonly string[]): Promise<Decided> {
  const templateFlag = (['template', 'file', 'model', 'dataset', 'epochs', 'set'] as const).find(
    flag => request[flag] !== undefined,
  )
  if (templateFlag !== undefined) {
    const what = templateFlag === 'template' ? request.template : `--${templateFlag}`
    const why = templateFlag === 'template' ? 'a job runs one of them' : 'it is for templates only'
    const whole = formatArgv(argv)
    const template = formatArgv(request.words.slice(2, request.words.indexOf('--')))
    throw new MlvError('MLV_JOB_COMMAND', `${what} and the command ${whole} cannot be given together: ${why}.`, {
      tryThis: [context.command(`train -- ${whole || 'python my_train.py'}`), context.command(`train ${template}`)],
    })
  }
  if (argv.length === 0) {
    throw new MlvError('MLV_JOB_COMMAND', 'There is no command after --.', {
      tryThis: [context.command('train -- python my_train.py')],
    })
  }
  const list = await listUpload(context.cwd)
  checkNamed(list, argv)
  return {
    stem: stemOf(argv),
    isolation: undefined,
    template: null,
    experiment: basename(context.cwd) || 'scripts',
    parameters: {},
    resources: {cpus: 1, gpus: 0},
    work: {type: 'command', argv: [...argv]},
    upload: list.files.length === 0 ? undefined : {list, pack: () => pack(list)},
  }
}

/** `python train_net.py --lr 1` → `train_net`. */
function stemOf(argv: readonly string[]): string {
  const script = argv.find((part, index) => index > 0 && /^[^-].*\.\w+$/.test(part)) ?? argv[0] ?? 'job'
  const stem = basename(script)
    .replace(/\.\w+$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
  return stem.slice(0, 60) || 'job'
}
