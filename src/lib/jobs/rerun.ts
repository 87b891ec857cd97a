import {z} from 'zod'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {resolveTarget} from '../targets/resolve.js'
import {loadTemplate} from '../templates/load-template.js'
import {type ParameterValues, parameterValues} from '../templates/parameters.js'
import {render} from '../templates/render.js'
import {formatArgv} from '../tools/exec.js'
import {type JobSpec, jobSpecSchema} from '../types/job.js'
import type {Packages} from '../types/target.js'
import {makeName} from './names.js'
import {hashOf, readPackages} from './packages.js'
import {checkNames, type JobPlan} from './plan.js'
import type {Platform} from './platform.js'
import {hasOwnCluster, tags} from './record.js'
import {files} from './save-record.js'
import {type Read, readerOf, savedCode} from './saved-code.js'
import {findJob} from './show.js'

const savedParameters = z.object({
  template: z.string().nullable(),
  values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})
export interface RerunRequest {
  readonly of: string | undefined
  readonly name?: string | undefined
  readonly set?: string | readonly string[] | undefined
  readonly words: readonly string[]
}

/** A plan made of what was saved with a run: its code, parameters, patch and lock, wherever the person stands. */
export async function planRerun(context: Context, platform: Platform, request: RerunRequest): Promise<JobPlan> {
  checkNames(context, request)
  const {name: old, run} = await findJob(context, platform, request.of)
  const read = await readerOf(platform, run)
  const [specText, parametersText, code, patch, packages] = await Promise.all([
    read(files.spec),
    read(files.parameters),
    savedCode(read),
    read(files.patch),
    savedPackages(read),
  ])
  if (!specText || !parametersText || code === null) throw notSaved(context, old)
  // A job of an earlier mlv had no interpreter of its own.
  const spec = jobSpecSchema.parse({python: null, ...JSON.parse(specText.toString())})
  const saved = savedParameters.parse(JSON.parse(parametersText.toString()))
  const python = await interpreterOf(context, spec, {packages, name: old})
  const changed = await applySet(context, saved, request.set)
  const name = request.name ?? makeName(spec.job.template ?? old.replace(/-[a-z]+-[a-z0-9]{4}$/, ''))
  return {
    kind: spec.job.kind,
    name,
    isNameChosen: request.name !== undefined,
    submissionId: name,
    template: spec.job.template,
    experiment: spec.tracking.experiment_name,
    resources: spec.resources,
    retries: spec.retries,
    work: changed ? sameKind(spec.work, changed.work) : spec.work,
    register: spec.register,
    parameters: changed?.values ?? saved.values,
    upload: code,
    commandLine: formatArgv(request.words),
    words: request.words,
    rerunOf: old,
    ...(hasOwnCluster(run) && {isolation: 'cluster' as const}),
    saved: {
      patch: patch?.toString(),
      packages,
      commit: run.tags[tags.commit] ?? '',
    },
    ...(python !== undefined && {python}),
  }
}

/** What was trained on several processes is again, and what was searched too. */
function sameKind(old: JobPlan['work'], fresh: JobPlan['work']): JobPlan['work'] {
  if (old.type === 'ddp' && fresh.type === 'mlvision') return {...old, training: fresh}
  const isTraining = fresh.type === 'mlvision' || fresh.type === 'lightning'
  return old.type === 'tune' && isTraining ? {...old, trial: fresh} : fresh
}

async function savedPackages(read: Read): Promise<Packages | undefined> {
  const [lock, torch, requirements] = await Promise.all([read(files.lock), read(files.torch), read(files.requirements)])
  if (!lock || !torch) return undefined
  return {lock: `${lock}`, torch: `${torch}`, ...(requirements && {requirements: `${requirements}`})}
}

/** Changed parameters go through the template again; everything else stays as it was saved. */
async function applySet(
  context: Context,
  saved: z.output<typeof savedParameters>,
  set: RerunRequest['set'],
): Promise<{values: ParameterValues; work: JobPlan['work']} | undefined> {
  if (set === undefined || set.length === 0) return undefined
  if (saved.template === null) {
    throw new MlvError('MLV_JOB_COMMAND', 'The job ran a command of your own, which has no parameters to set.', {
      tryThis: [context.command('train -- python my_train.py')],
    })
  }
  const template = await loadTemplate(context, saved.template)
  const entries = typeof set === 'string' ? set.split('\n') : set
  const fresh = await parameterValues(context, {template, set: entries})
  const named = new Set(entries.map(entry => entry.slice(0, entry.indexOf('='))))
  const chosen = Object.entries(fresh).filter(([name]) => named.has(name))
  const values = {...saved.values, ...Object.fromEntries(chosen)}
  return {values, work: render(template, values).work}
}

/** The packages come back too, where they are not today's: the work gets an interpreter that has just those. */
async function interpreterOf(
  context: Context,
  {work}: Pick<JobSpec, 'work'>,
  {name, packages}: {name: string; packages: Packages | undefined},
): Promise<string | undefined> {
  const {reporter} = context
  const now = await readPackages(context)
  if (packages && now && hashOf(packages) === hashOf(now)) return undefined
  if (!packages) {
    reporter.warn(`Which packages ${name} ran with was not saved; it runs with today's.`)
    return undefined
  }
  if (work.type === 'tune') {
    reporter.warn(`The packages of this mlv are not those that ${name} ran with, and trials run with today's.`)
    return undefined
  }
  const target = await resolveTarget(context)
  const board = reporter.tasks()
  const task = board.add(`Packages that ${name} ran with`)
  task.start()
  try {
    const python = await target.interpreterWith(context, packages, {update: detail => task.update(detail)})
    task.succeed(python)
    return python
  } catch (error) {
    task.fail((error as Error).message)
    throw error
  } finally {
    await board.close()
  }
}

function notSaved({command}: Context, name: string): MlvError {
  return new MlvError('MLV_JOB_NO_CODE', `What ${name} was made of was not saved with its run.`, {
    tryThis: [command(`jobs show ${name}`), command('train --help')],
  })
}
