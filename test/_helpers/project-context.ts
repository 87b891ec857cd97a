import {userInfo} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import type {Context} from '../../src/lib/context.js'
import type {Environment} from '../../src/lib/profile/env.js'
import {profileSchema} from '../../src/lib/profile/profile.js'
import {createExec} from '../../src/lib/tools/exec.js'
import {createPlainReporter} from '../../src/lib/ui/plain-reporter.js'

/** A real context for a project folder: real processes, a plain reporter whose lines are kept. */
export function projectContext(projectDir: string, environment: Environment = {PATH: process.env.PATH}) {
  const lines: string[] = []
  const stream = {write: (text: string) => lines.push(text)}
  const abort = new AbortController()
  const reporter = createPlainReporter({stdout: stream, stderr: stream})
  const {signal} = abort
  const context: Context = {
    profile: {name: 'local', settings: profileSchema.parse({})},
    projectDir,
    stateDir: join(projectDir, '.mlv', 'local'),
    cwd: projectDir,
    packageDir: fileURLToPath(new URL('../..', import.meta.url)),
    version: '0.0.0-test',
    folders: {
      cache: join(projectDir, 'home', 'cache'),
      config: join(projectDir, 'home', 'config'),
      data: join(projectDir, 'home', 'data'),
    },
    environment,
    user: userInfo().username,
    exec: createExec({dryRun: false, environment, print: line => lines.push(line), signal}),
    reporter,
    signal,
    dryRun: false,
    kube: () => Promise.reject(new Error('This profile has no cluster.')),
    command: line => `npx mlv ${line}`,
  }
  return {context, lines, abort}
}
