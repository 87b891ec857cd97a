import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {Template} from '../templates/load-template.js'
import {parameterValues} from '../templates/parameters.js'
import {render} from '../templates/render.js'
import {withoutFixed} from '../templates/search-space.js'
import type {ParameterValue} from '../templates/template-schema.js'
import type {JobSpec} from '../types/job.js'
import type {algorithms, presets, Search, schedulers, TemplateSearch} from '../types/search.js'
import {
  asAsked,
  checkNames,
  type JobPlan,
  ofTemplateItself,
  type TrainRequest,
  templateOf,
  uploadOf,
  wrongKind,
} from './plan.js'

/** What was typed after `mlv tune`. */
export interface TuneRequest extends Omit<TrainRequest, 'argv'> {
  readonly trials?: number | undefined
  readonly algorithm?: (typeof algorithms)[number] | undefined
  readonly scheduler?: (typeof schedulers)[number] | undefined
  readonly concurrency?: number | undefined
  /** Seconds. */
  readonly maxTime?: number | undefined
  readonly maxFailures?: number | undefined
  readonly metric?: string | undefined
  readonly mode?: 'max' | 'min' | undefined
  readonly preset?: (typeof presets)[number] | undefined
  readonly retrainBest?: boolean | undefined
  /** Of a trial's share of a machine, for the dry run. */
  readonly hourlyPrice?: number | undefined
}

const DEFAULT_TEMPLATE = 'digits-sweep'
const RETRIES = 2

/** Decides everything about a sweep that can be decided here; every wrong word of the request ends here. */
export async function planTune(context: Context, request: TuneRequest): Promise<JobPlan> {
  checkNames(context, request)
  const template = await templateOf(context, request, DEFAULT_TEMPLATE)
  if (template.kind !== 'tune' || !template.search) throw wrongKind(context, template)
  const preset = presetOf(context, template, template.search, request.preset)
  const given = {...request, epochs: request.epochs ?? preset.epochs?.toString()}
  const parameters = await parameterValues(context, {...given, template})
  const fixed = await fixedOf(context, template, request)
  const {filesDir, resources, work} = render(template, parameters)
  if (work.type !== 'mlvision' && work.type !== 'lightning') throw wrongKind(context, template)
  const search = searchOf(context, template, template.search, {request, preset, fixed})
  return {
    ...asAsked(request, {...ofTemplateItself(template), alias: 'challenger'}),
    kind: 'tune',
    template: template.name,
    resources: {cpus: request.cpus ?? resources.cpus, gpus: request.gpus ?? resources.gpus},
    retries: RETRIES,
    work: {type: 'tune', trial: work, search} satisfies JobSpec['work'],
    parameters,
    upload: work.type === 'lightning' ? await uploadOf(filesDir ?? context.cwd) : undefined,
  }
}

type Preset = NonNullable<TemplateSearch['presets'][(typeof presets)[number]]>

function presetOf({command}: Context, template: Template, search: TemplateSearch, name: TuneRequest['preset']): Preset {
  if (name === undefined) return {}
  const preset = search.presets[name]
  if (preset) return preset
  const known = Object.keys(search.presets)
  throw new MlvError('MLV_SWEEP_PRESET', `Template ${template.name} has no preset ${name}.`, {
    tryThis: [command(`tune ${template.name}${known[0] ? ` --preset ${known[0]}` : ' --trials 10'}`)],
  })
}

/** What somebody set by name, which therefore does not vary; a value that the template has by default does. */
async function fixedOf(
  context: Context,
  template: Template,
  {dataset, epochs, file, model, set}: TuneRequest,
): Promise<Record<string, ParameterValue>> {
  const bare: Template = {
    ...template,
    parameters: Object.fromEntries(
      Object.entries(template.parameters).map(([name, {default: _, ...parameter}]) => [name, parameter]),
    ) as Template['parameters'],
  }
  const said = await parameterValues(context, {template: bare, file, set, model, dataset, epochs})
  return {...said}
}

function searchOf(
  {command}: Context,
  template: Template,
  search: TemplateSearch,
  {fixed, preset, request}: {request: TuneRequest; preset: Preset; fixed: Record<string, ParameterValue>},
): Search {
  const space = withoutFixed(search.space, fixed)
  if (Object.keys(space).length === 0) {
    throw new MlvError('MLV_SWEEP_SPACE', 'Every parameter of the search space is set; nothing is left to vary.', {
      tryThis: [command(`templates show ${template.name}`)],
    })
  }
  const algorithm = request.algorithm ?? preset.algorithm ?? search.algorithm ?? 'random'
  // A grid has its own size; what the template says is meant for the others.
  const usual = algorithm === 'grid' && search.algorithm !== 'grid' ? undefined : search.trials
  const seed = fixed.seed ?? template.parameters.seed?.default
  return {
    space,
    metric: request.metric ?? search.metric,
    mode: request.mode ?? search.mode,
    trials: request.trials ?? preset.trials ?? usual ?? null,
    algorithm,
    scheduler: request.scheduler ?? preset.scheduler ?? search.scheduler ?? 'asha',
    grace: preset.grace ?? search.grace ?? 1,
    reduction: preset.reduction ?? search.reduction ?? 3,
    concurrency: request.concurrency ?? null,
    max_time: request.maxTime ?? null,
    max_failures: request.maxFailures ?? null,
    keep: search.keep,
    seed: typeof seed === 'number' ? seed : 0,
    best: request.retrainBest ? 'retrain' : request.register === undefined ? 'report' : 'save',
    retrain_epochs: search.retrain_epochs ?? null,
    restart_errored: false,
    train: search.train ?? null,
    fixed: Object.fromEntries(Object.entries(fixed).filter(([name]) => name in search.space)),
  }
}
