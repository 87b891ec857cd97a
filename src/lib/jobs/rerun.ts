import {z} from 'zod'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {isMissing} from '../mlflow/mlflow-error.js'
import type {Run} from '../mlflow/runs.js'
import {loadTemplate} from '../templates/load-template.js'
import {type ParameterValues, parameterValues} from '../templates/parameters.js'
import {render} from '../templates/render.js'
import {formatArgv} from '../tools/exec.js'
import {jobSpecSchema} from '../types/job.js'
import {checkName, makeName} from './names.js'
import type {JobPlan, PlannedUpload} from './plan.js'
import type {Platform} from './platform.js'
import {tags} from './record.js'
import {files, hashOf, readLock} from './save-record.js'
import {findJob} from './show.js'
import {packageOf} from './upload-package.js'

const savedParameters = z.object({
  template: z.string().nullable(),
  values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})
const savedUpload = z.object({
  bytes: z.number(),
  files: z.array(z.object({path: z.string(), bytes: z.number()})),
  left_out: z.array(z.object({path: z.string(), rule: z.string()})),
})

export interface RerunRequest {
  readonly of: string | undefined
  readonly name?: string | undefined
  readonly set?: string | readonly string[] | undefined
  readonly words: readonly string[]
}

/** A plan made of what was saved with a run: its code, parameters, patch and lock, wherever the person stands. */
export async function planRerun(context: Context, platform: Platform, request: RerunRequest): Promise<JobPlan> {
  if (request.name !== undefined) checkName(request.name)
  const {name: old, run} = await findJob(context, platform, request.of)
  const read = await readerOf(platform, run)
  const [specText, parametersText, uploadText, patch, lock, code] = await Promise.all([
    read(files.spec),
    read(files.parameters),
    read(files.upload),
    read(files.patch),
    read(files.lock),
    read(files.code),
  ])
  if (!specText || !parametersText || !uploadText) throw notSaved(context, old)
  const spec = jobSpecSchema.parse(JSON.parse(specText.toString()))
  const saved = savedParameters.parse(JSON.parse(parametersText.toString()))
  const list = savedUpload.parse(JSON.parse(uploadText.toString()))
  if (list.files.length > 0 && !code) throw notSaved(context, old)
  await warnOfLock(context, run, old)
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
    upload: code && uploadOf(list, code),
    commandLine: formatArgv(request.words),
    rerunOf: old,
    saved: {
      patch: patch?.toString(),
      lock: lock?.toString(),
      commit: run.tags[tags.commit] ?? '',
    },
  }
}

/** What was trained on several processes is again. */
function sameKind(old: JobPlan['work'], fresh: JobPlan['work']): JobPlan['work'] {
  return old.type === 'ddp' && fresh.type === 'mlvision' ? {...old, training: fresh} : fresh
}

async function readerOf(platform: Platform, run: Run) {
  const {artifacts} = await platform.mlflow()
  return async (path: string): Promise<Buffer<ArrayBuffer> | undefined> => {
    try {
      return Buffer.from((await artifacts.read(run.artifactUri, path)).buffer)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}

function uploadOf(list: z.output<typeof savedUpload>, code: Buffer<ArrayBuffer>): PlannedUpload {
  return {
    list: {bytes: list.bytes, files: list.files, leftOut: list.left_out},
    pack: async () => packageOf(new Uint8Array(code)),
  }
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
      tryThis: [context.command('train -- python my_train.py …')],
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

/** Code and parameters come back as they were; the environment is that of the platform, and may have moved on. */
async function warnOfLock(context: Context, run: Run, name: string): Promise<void> {
  const now = await readLock(context)
  const then = run.tags[tags.lock]
  if (then === undefined || now === undefined || hashOf(now) === then) return
  context.reporter.warn(`The packages of this mlv are not those that ${name} ran with; results may differ.`)
}

function notSaved({command}: Context, name: string): MlvError {
  return new MlvError('MLV_JOB_NO_CODE', `What ${name} was made of was not saved with its run.`, {
    tryThis: [command(`jobs show ${name}`), command('train …')],
  })
}
