import {Config} from '@oclif/core/config'
import {describe, expect, it} from 'vitest'

import {resultShapes} from './_helpers/result-shapes.js'
import {root} from './_helpers/source-tree.js'

// What people and scripts rely on. A change here is a change of the public surface: look at the diff, then `npm run snapshots`.
describe('the public surface', async () => {
  const config = new Config({root})
  await config.load()
  const commands = config.commands.toSorted((a, b) => a.id.localeCompare(b.id))

  it('has these commands', async () => {
    const text = commands.map(command => `${command.id.replaceAll(':', ' ')}  ${command.summary ?? ''}`).join('\n')
    await expect(`${text}\n`).toMatchFileSnapshot('snapshots/commands.txt')
  })

  it('has these arguments, flags and variables', async () => {
    const surface = commands.map(command => ({
      id: command.id.replaceAll(':', ' '),
      args: Object.values(command.args).map(arg => ({
        name: arg.name,
        options: arg.options,
        required: arg.required ?? false,
      })),
      flags: Object.values(command.flags)
        .toSorted((a, b) => a.name.localeCompare(b.name))
        .map(flag => ({
          name: flag.name,
          char: flag.char,
          env: flag.env,
          type: flag.type,
          options: flag.type === 'option' ? flag.options : undefined,
          multiple: flag.type === 'option' ? flag.multiple : undefined,
        })),
    }))
    await expect(`${JSON.stringify(surface, null, 1)}\n`).toMatchFileSnapshot('snapshots/flags.json')
  })

  it('answers --json in these shapes', async () => {
    await expect(resultShapes()).toMatchFileSnapshot('snapshots/json-shapes.txt')
  }, 60_000)

  it('says of every command and flag what it does, in a sentence', () => {
    for (const command of commands) {
      expect(command.summary, command.id).toMatch(/^[A-Z].*\.$/)
      expect((command.summary ?? '').length, `${command.id}: ${command.summary}`).toBeLessThanOrEqual(80)
      expect(command.examples?.length ?? 0, `${command.id} has an example`).toBeGreaterThan(0)
      for (const flag of Object.values(command.flags)) {
        if (flag.name === 'json') continue
        expect(flag.summary, `${command.id} --${flag.name}`).toMatch(/^[A-Z].*[.)]$/s)
        expect(flag.env, `${command.id} --${flag.name} has a variable`).toMatch(/^MLV_[A-Z_]+$/)
      }
    }
  })
})
