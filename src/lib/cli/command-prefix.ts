import {existsSync} from 'node:fs'
import {join, relative, sep} from 'node:path'

import {formatArgv} from '../tools/exec.js'

/** How mlv is called where the person stands: see {@link commandPrefix}. */
export function programOf(packageDir: string, cwd = process.cwd()): string {
  const isCheckout = existsSync(join(packageDir, 'src'))
  const isOutside = isCheckout && relative(packageDir, cwd).split(sep)[0] === '..'
  if (isOutside) return formatArgv([join(packageDir, 'bin', 'mlv.js')])
  return isCheckout || packageDir.includes('node_modules') ? 'npx mlv' : 'mlv'
}

/**
 * In a checkout or a project that has mlv in its node_modules `mlv` is not on PATH, `npx mlv` works; for who stands
 * outside of a checkout it does not, the program itself does.
 */
export function commandPrefix(packageDir: string, cwd = process.cwd()): (line: string) => string {
  const program = programOf(packageDir, cwd)
  return line => `${program} ${line}`
}
