import {mkdir, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import type {Context} from '../context.js'
import {describeFileError} from '../errors.js'
import {unicodeSymbols} from '../ui/symbols.js'
import {createFollowView} from './follow-view.js'
import {createLineReader} from './output-lines.js'
import type {Platform} from './platform.js'
import {files as artifactPaths} from './save-record.js'
import {savedLog} from './saved-log.js'
import {findJob} from './show.js'

export interface LogText {
  readonly job: string
  /** Events in words, unless they were asked for as they are. */
  readonly lines: readonly string[]
}

export interface LogOptions {
  readonly tail?: number | undefined
  /** Every line as it is, events and Ray's own too. */
  readonly isRaw: boolean
}

/** The log of a job: from Ray while it has it, else the one that was kept with the run. */
export async function readLog(
  context: Context,
  platform: Platform,
  name: string | undefined,
  {isRaw, tail}: LogOptions,
): Promise<LogText> {
  const found = await findJob(context, platform, name)
  const text = found.job
    ? await (await platform.jobsOf(found.run)).logs(found.submissionId)
    : await savedLog(await platform.mlflow(), found.run)
  if (text === '' && !found.job) {
    context.reporter.note(
      `Of ${found.name} no log was kept: it lies in Ray while a job runs, and went with the Ray head that ran it. ` +
        `What the job recorded until then remains: ${context.command(`jobs show ${found.name}`)}`,
    )
  }
  const lines = isRaw ? text.replace(/\n$/, '').split('\n') : readableLines(text)
  return {job: found.name, lines: tail === undefined ? lines : tail === 0 ? [] : lines.slice(-tail)}
}

/** As the job was shown while it was followed: events in words, everything else as it is. */
export function readableLines(text: string): string[] {
  const lines: string[] = []
  const view = createFollowView(
    {set: () => undefined, line: line => lines.push(line), close: () => undefined},
    {mode: 'plain', symbols: unicodeSymbols},
  )
  const reader = createLineReader()
  for (const line of [...reader.push(text), ...reader.end()]) view.show(line)
  return lines
}

/** Writes the log and every file of the run into a folder; returns what was written. */
export async function downloadJob(
  context: Context,
  platform: Platform,
  name: string | undefined,
  folder: string,
): Promise<{job: string; files: string[]}> {
  const {job, lines} = await readLog(context, platform, name, {isRaw: true})
  const {run} = await findJob(context, platform, name)
  const mlflow = await platform.mlflow()
  const target = resolve(context.cwd, folder)
  try {
    await mkdir(target, {recursive: true})
    await writeFile(join(target, 'log.txt'), `${lines.join('\n')}\n`)
    // The run's own copy of the log would say the same once more.
    const artifacts = (await mlflow.artifacts.walk(run.artifactUri)).filter(({path}) => path !== artifactPaths.log)
    for (const {path} of artifacts) await mlflow.artifacts.download(run.artifactUri, path, join(target, path))
    return {job, files: ['log.txt', ...artifacts.map(artifact => artifact.path)]}
  } catch (error) {
    throw describeFileError(error, target)
  }
}
