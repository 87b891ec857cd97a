import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {parameterValues} from '../templates/parameters.js'
import {render} from '../templates/render.js'
import type {JobSpec} from '../types/job.js'
import type {JobOutcome} from './outcome.js'
import {asAsked, checkNames, type JobPlan, ofTemplateItself, type TrainRequest, templateOf, wrongKind} from './plan.js'
import {type DryRun, dryRunOf, submitAndFollow, type TrainOptions} from './train.js'

/** What was typed after `mlv ddp`. */
export interface DdpRequest extends Omit<TrainRequest, 'argv' | 'cpus' | 'gpus'> {
  /** NODESxPROCS, as it was typed. */
  readonly processes?: string | undefined
  readonly cpusPerWorker?: string | undefined
  readonly gpusPerWorker?: string | undefined
  readonly elastic?: boolean | undefined
  readonly preflight?: boolean | undefined
  /** Numbers of processes with commas between them, as they were typed. */
  readonly scaling?: string | undefined
  readonly hourlyPrice?: string | undefined
}

const DEFAULT_TEMPLATE = 'ddp-1x4'

/** Submits a training on several processes and follows it. */
export async function ddp(context: Context, request: DdpRequest, options: TrainOptions): Promise<JobOutcome> {
  return submitAndFollow(context, await planDdp(context, request), options)
}

/** Shows what would be sent. */
export async function ddpDryRun(context: Context, request: DdpRequest): Promise<{value: DryRun; text: string}> {
  return dryRunOf(context, await planDdp(context, request))
}

/** Decides everything that can be decided here; every wrong word of the request ends here. */
export async function planDdp(context: Context, request: DdpRequest): Promise<JobPlan> {
  checkNames(context, request)
  const typed = request.processes === undefined ? undefined : parseProcesses(context, request.processes)
  const template = await templateOf(context, request, DEFAULT_TEMPLATE)
  const parameters = await parameterValues(context, {...request, template})
  const {resources, work} = render(template, parameters)
  if (template.kind !== 'ddp' || work.type !== 'mlvision') throw wrongKind(context, template)
  const scaling = request.scaling === undefined ? null : parseScaling(context, request.scaling)
  const {nodes, processes} = scaling
    ? {nodes: 1, processes: Math.max(...scaling)}
    : (typed ?? parseProcesses(context, template.processes ?? '1x1'))
  return {
    ...asAsked(request, {...ofTemplateItself(template), alias: 'candidate'}),
    kind: 'ddp',
    template: template.name,
    resources: {
      cpus: share(context, request.cpusPerWorker, '--cpus-per-worker') ?? resources.cpus,
      gpus: share(context, request.gpusPerWorker, '--gpus-per-worker') ?? resources.gpus,
    },
    // A process that is lost ends the job, or with --elastic the others go on: Ray starts nothing again by itself.
    retries: 0,
    work: {
      type: 'ddp',
      training: work,
      nodes,
      processes,
      elastic: request.elastic ?? false,
      preflight: request.preflight ?? false,
      scaling,
      hourly_price: request.hourlyPrice === undefined ? null : price(context, request.hourlyPrice),
    } satisfies JobSpec['work'],
    parameters,
    upload: undefined,
  }
}

/** `2x4` → two nodes with four processes each. */
function parseProcesses({command}: Context, text: string): {nodes: number; processes: number} {
  const [, nodes, processes] = /^([1-9]\d{0,3})[xX]([1-9]\d{0,3})$/.exec(text) ?? []
  if (nodes === undefined || processes === undefined) {
    throw new MlvError('MLV_DDP_FORM', `-j ${JSON.stringify(text)} is not NODESxPROCS, such as 1x4 or 2x8.`, {
      tryThis: [command('ddp -j 1x2')],
    })
  }
  return {nodes: Number(nodes), processes: Number(processes)}
}

/** `1,2,4`, each once and in this order: the first is what the others are compared with. */
function parseScaling({command}: Context, text: string): number[] {
  const sizes = text.split(',').map(part => (/^[1-9]\d{0,3}$/.test(part.trim()) ? Number(part) : Number.NaN))
  const isRising = sizes.every((size, index) => size > (sizes[index - 1] ?? 0))
  if (isRising) return sizes
  throw new MlvError('MLV_DDP_FORM', `--scaling ${JSON.stringify(text)} is not a rising list such as 1,2,4.`, {
    tryThis: [command('ddp --scaling 1,2')],
  })
}

function price({command}: Context, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new MlvError('MLV_DDP_FORM', `--hourly-price ${JSON.stringify(text)} is not a number such as 0.53.`, {
    tryThis: [command('ddp --scaling 1,2 --hourly-price 0.53')],
  })
}

/** A part of a CPU or GPU may be asked for, so that more processes than CPUs can be tried on a small machine. */
function share({command}: Context, text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && (value > 0 || flag === '--gpus-per-worker')) return value
  throw new MlvError('MLV_DDP_FORM', `${flag} ${JSON.stringify(text)} is not a number such as 1 or 0.5.`, {
    tryThis: [command(`ddp ${flag} 1`)],
  })
}
