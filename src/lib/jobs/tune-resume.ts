import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {MlflowClient} from '../mlflow/client.js'
import {isMissing} from '../mlflow/mlflow-error.js'
import type {Run} from '../mlflow/runs.js'
import {loadTemplate} from '../templates/load-template.js'
import {withoutFixed} from '../templates/search-space.js'
import {type JobSpec, jobSpecSchema} from '../types/job.js'
import type {Dimension, Search, TemplateSearch} from '../types/search.js'
import type {JobOutcome} from './outcome.js'
import {type Platform, withPlatform} from './platform.js'
import {hasOwnCluster, tags} from './record.js'
import {files} from './save-record.js'
import {readerOf, savedCode} from './saved-code.js'
import {findJob} from './show.js'
import {type JobSite, type Placed, siteOf} from './site.js'
import {isEnded, stateOfRay} from './states.js'
import {followSubmitted, type TrainOptions} from './train.js'

/** What was typed after `mlv tune resume`. */
export interface ResumeRequest {
  readonly of: string | undefined
  /** `+50` for so many more, `150` for so many in all. */
  readonly trials?: string | undefined
  readonly restartErrored: boolean
  /** Goes on with the sweep's own space, whatever its template says by now. */
  readonly keepSpace: boolean
}

const USUAL_TRIALS = 100

/** Goes on with a sweep in its own run and storage: ended trials stay, the others go on from their checkpoints. */
export async function resumeTune(context: Context, request: ResumeRequest, options: TrainOptions): Promise<JobOutcome> {
  return withPlatform(context, async platform => {
    const found = await findJob(context, platform, request.of)
    const {job, name, run} = found
    if (run.tags[tags.kind] !== 'tune') {
      throw new MlvError('MLV_SWEEP_UNKNOWN', `The job ${name} is no sweep.`, {
        tryThis: [context.command('jobs list'), context.command(`jobs rerun ${name}`)],
      })
    }
    if (job && !isEnded(stateOfRay(job.status, run.status))) throw running(context, name)
    const mlflow = await platform.mlflow()
    const spec = await resumedSpec(context, {platform, mlflow, run, name}, request)
    const isolation = hasOwnCluster(run) ? 'cluster' : 'shared'
    const site = await siteOf(context, platform, {...spec, kind: 'tune', isolation})
    const code = await savedCode(await readerOf(platform, run))
    if (code === null) throw notSaved(context, name)
    const placed = await site.place(Promise.resolve(run), await code?.pack())
    const submissionId = await submitSession(context, {site, run, spec, placed})
    await mlflow.runs.setTag(run.id, tags.submissionId, submissionId)
    // So that a second resume adds to what this one has added.
    const saved = {...spec, job: {...spec.job, submission_id: submissionId}}
    await mlflow.artifacts.upload(run.artifactUri, files.spec, `${JSON.stringify(saved, null, 2)}\n`)
    return followSubmitted(context, {mlflow, ray: site.jobs, run, name, submissionId, isNew: true}, options)
  })
}

interface Found {
  readonly platform: Platform
  readonly mlflow: MlflowClient
  readonly run: Run
  readonly name: string
}

/** What was submitted before, at today's addresses. */
async function resumedSpec(
  context: Context,
  {mlflow, name, platform, run}: Found,
  request: ResumeRequest,
): Promise<JobSpec> {
  const [jobs, text] = await Promise.all([
    platform.jobs(),
    mlflow.artifacts.read(run.artifactUri, files.spec).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    }),
  ])
  const spec = text && jobSpecSchema.parse(JSON.parse(Buffer.from(text).toString()))
  if (spec?.work.type !== 'tune') throw notSaved(context, name)
  const {search} = spec.work
  if (!request.keepSpace) await checkSpace(context, {name, template: spec.job.template, search})
  // Checked again: what is saved now is what the next resume reads.
  return jobSpecSchema.parse({
    ...spec,
    tracking: {...spec.tracking, uri: jobs.trackingUrl},
    credentials_file: jobs.credentialsFile,
    storage: `${jobs.storage.replace(/\/$/, '')}/${name}`,
    work: {
      ...spec.work,
      search: {...search, trials: trialsOf(context, name, search, request), restart_errored: request.restartErrored},
    },
  } satisfies JobSpec)
}

function trialsOf({command}: Context, name: string, search: Search, {trials}: ResumeRequest): number | null {
  if (trials === undefined) return search.trials
  const [, plus, digits] = /^(\+?)(\d{1,6})$/.exec(trials) ?? []
  if (digits !== undefined && Number(digits) > 0) {
    return plus ? (search.trials ?? USUAL_TRIALS) + Number(digits) : Number(digits)
  }
  throw new MlvError('MLV_USAGE', `--trials is ${JSON.stringify(trials)}; it takes a number, or a number more.`, {
    tryThis: [command(`tune resume ${name} --trials +50`), command(`tune resume ${name} --trials 150`)],
  })
}

/** A sweep whose template has changed since would mix what cannot be compared. */
async function checkSpace(
  context: Context,
  {name, search, template}: {name: string; template: string | null; search: Search},
): Promise<void> {
  if (template === null) return
  const now = await loadTemplate(context, template).catch(() => undefined)
  if (!now?.search) return
  const lines = spaceDifference(search.space, withoutFixed(now.search.space, search.fixed ?? {}))
  if (lines.length === 0) return
  throw new MlvError('MLV_SWEEP_SPACE', `Template ${template} has another search space than ${name} began with.`, {
    details: lines,
    tryThis: [context.command(`tune resume ${name} --keep-space`), context.command(`tune ${template}`)],
  })
}

/** A line for each parameter that the sweep and the template, with what was set, do not vary in the same way. */
export function spaceDifference(before: Search['space'], now: TemplateSearch['space']): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)])
  return [...names].flatMap(name => {
    const [was, is] = [said(before[name]), said(now[name])]
    return was === is ? [] : [`${name}: was ${was}, is ${is}`]
  })
}

function said(dimension: Dimension | undefined): string {
  if (!dimension) return 'not varied'
  const range =
    dimension.type === 'choice'
      ? `choice of ${dimension.values.join(', ')}`
      : `${dimension.type} from ${dimension.min} to ${dimension.max}`
  const points = 'points' in dimension && dimension.points !== undefined ? ` in ${dimension.points} points` : ''
  const when = Object.entries(dimension.when ?? {})
    .map(([name, wanted]) => `${name} is ${[wanted].flat().join(' or ')}`)
    .sort()
  return `${range}${points}${when.length > 0 ? ` where ${when.join(' and ')}` : ''}`
}

/** Ray takes each id once: of two who resume at the same moment one is told so. */
async function submitSession(
  context: Context,
  {placed, run, site, spec}: {site: JobSite; run: Run; spec: JobSpec; placed: Placed},
): Promise<string> {
  for (let session = sessionOf(run, spec) + 1; ; session += 1) {
    const submissionId = `${spec.job.name}.${session}`
    const told = {...spec, job: {...spec.job, submission_id: submissionId}}
    if (await site.submit(await site.submission(told, placed), run)) return submissionId
    const other = await site.jobs.get(submissionId)
    if (other && !isEnded(stateOfRay(other.status))) throw running(context, spec.job.name)
  }
}

/** `NAME.3` is the third session; the first has no number. */
function sessionOf(run: Run, spec: JobSpec): number {
  const id = run.tags[tags.submissionId] ?? ''
  const [, number] = id.startsWith(`${spec.job.name}.`) ? (/\.(\d+)$/.exec(id) ?? []) : []
  return number === undefined ? 1 : Number(number)
}

function notSaved({command}: Context, name: string): MlvError {
  return new MlvError('MLV_JOB_NO_CODE', `What ${name} was made of was not saved with its run.`, {
    tryThis: [command(`jobs show ${name}`), command('tune --help')],
  })
}

function running({command}: Context, name: string): MlvError {
  return new MlvError('MLV_SWEEP_RUNNING', `The sweep ${name} is running.`, {
    tryThis: [command(`jobs logs ${name} -f`), command(`jobs stop ${name}`)],
  })
}
