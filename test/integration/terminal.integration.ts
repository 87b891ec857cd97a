import {rm} from 'node:fs/promises'
import * as pty from '@lydell/node-pty'
import xterm from '@xterm/headless'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {driver, heldPid, node, platformFolder, platformsFolder, until} from '../_helpers/small-platform.js'

const HIDE_CURSOR = '\u001B[?25l'
const SHOW_CURSOR = '\u001B[?25h'

interface Seen {
  /** The lines of the terminal as a person sees them. */
  lines(): string[]
  press(keys: string): void
  readonly ended: Promise<{exitCode: number}>
  isCursorHidden(): boolean
}

function open(folder: string, env: Record<string, string> = {}, cols = 80): Seen {
  const terminal = new xterm.Terminal({cols, rows: 30, allowProposedApi: true})
  let isHidden = false
  const child = pty.spawn(node, [driver, 'setup'], {
    cols,
    rows: 30,
    cwd: folder,
    env: {PATH: process.env.PATH ?? '', HOME: folder, TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env},
  })
  let written = Promise.resolve()
  child.onData(data => {
    const [hidden, shown] = [data.lastIndexOf(HIDE_CURSOR), data.lastIndexOf(SHOW_CURSOR)]
    if (hidden !== shown) isHidden = hidden > shown
    written = new Promise(resolve => terminal.write(data, resolve))
  })
  return {
    lines() {
      const {buffer} = terminal
      const all = Array.from(
        {length: buffer.active.length},
        (_, row) => buffer.active.getLine(row)?.translateToString(true) ?? '',
      )
      return all.filter(line => line !== '')
    },
    press: keys => child.write(keys),
    ended: new Promise(resolve => child.onExit(end => void written.then(() => setTimeout(() => resolve(end), 50)))),
    isCursorHidden: () => isHidden,
  }
}

describe('in a terminal', () => {
  let parent: string

  beforeAll(async () => {
    parent = await platformsFolder()
  })
  afterAll(() => rm(parent, {force: true, recursive: true}))

  it('setup shows what runs and what waits, and leaves one line a phase', async () => {
    const folder = await platformFolder(parent)
    const seen = open(folder, {HOLD: '02-cluster/middle', TERM: 'xterm'})
    await until('the step', () => heldPid(folder, '02-cluster.middle') !== undefined)
    await until('the list', () =>
      seen.lines().some(line => /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] 02-cluster {2}Building the middle part/.test(line)),
    )
    expect(seen.lines()).toEqual([
      expect.stringMatching(/^ {2}✔ 01-prepare {2}01-prepare last +0\.\d s$/),
      expect.stringContaining('02-cluster  Building the middle part'),
      '  ◻ 03-mlflow   waits for 02-cluster',
      '  ◻ 07-ray      waits for 02-cluster',
    ])
    expect(seen.isCursorHidden()).toBe(true)
    process.kill(heldPid(folder, '02-cluster.middle') as number, 'SIGKILL')
    expect(await seen.ended).toMatchObject({exitCode: 1})
  })

  it('Ctrl-C ends with 130, gives the cursor back and says how to go on', async () => {
    const folder = await platformFolder(parent)
    const seen = open(folder, {HOLD: '03-mlflow/first'})
    await until('the step', () => heldPid(folder, '03-mlflow.first') !== undefined)
    seen.press('\u0003')
    expect(await seen.ended).toMatchObject({exitCode: 130})
    expect(seen.isCursorHidden()).toBe(false)
    const text = seen.lines().join('\n')
    expect(text).toContain('✖ 03-mlflow   interrupted')
    expect(text).toMatch(/Interrupted in 03-mlflow.*\. What was done stays done\./)
    expect(text).toMatch(/mlv\S* setup/)
  })

  it.each([
    ['NO_COLOR', {NO_COLOR: '1'}, '✔'],
    ['MLV_ASCII', {MLV_ASCII: '1'}, '+'],
    ['MLV_NO_SPINNER', {MLV_NO_SPINNER: '1'}, '✔'],
  ])('%s is honoured, and no line is wider than the terminal', async (_, env, symbol) => {
    const folder = await platformFolder(parent)
    const seen = open(folder, env as Record<string, string>, 50)
    expect(await seen.ended).toMatchObject({exitCode: 0})
    const lines = seen.lines()
    expect(lines).toHaveLength(4)
    for (const line of lines) expect(line.startsWith(`  ${symbol} 0`)).toBe(true)
    expect(Math.max(...lines.map(line => line.length))).toBeLessThan(50)
  })

  it('in CI nothing is drawn: one line for each change', async () => {
    const folder = await platformFolder(parent)
    const seen = open(folder, {CI: 'true'})
    expect(await seen.ended).toMatchObject({exitCode: 0})
    expect(seen.lines()[0]).toBe('… 01-prepare')
    expect(seen.lines()).toContain('… 03-mlflow: Building the first part')
    expect(seen.lines().join('\n')).not.toContain('⠋')
  })
})
