import {fileURLToPath} from 'node:url'

import type {TemplateContext} from '../../../src/lib/templates/load-template.js'
import {createPlainReporter} from '../../../src/lib/ui/plain-reporter.js'

export const packageDir = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '')

/** A project in this folder, with the templates of mlv, and what was said about it. */
export function templateContext(folder: string): {context: TemplateContext; said: string[]} {
  const said: string[] = []
  const write = (text: string) => said.push(text)
  const reporter = createPlainReporter({stdout: {write}, stderr: {write}})
  return {said, context: {command: line => `npx mlv ${line}`, cwd: folder, packageDir, projectDir: folder, reporter}}
}
