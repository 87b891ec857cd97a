import {readFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {Ajv} from 'ajv'
import {describe, expect, it} from 'vitest'
import {parse} from 'yaml'

import {type InitOptions, initProject} from '../../../src/lib/cli/init-project.js'
import {formatSettings, showSettings} from '../../../src/lib/cli/show-settings.js'
import type {Context} from '../../../src/lib/context.js'
import {loadProfile} from '../../../src/lib/profile/load.js'
import {profileSchema} from '../../../src/lib/profile/profile.js'
import {projectText} from '../../../src/lib/profile/write-project.js'
import {createExec} from '../../../src/lib/tools/exec.js'
import {createPlainReporter, createQuietReporter} from '../../../src/lib/ui/plain-reporter.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const packageDir = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '')
const streams = {stdout: {write: () => true}, stderr: {write: () => true}}

function contextIn(cwd: string): Context {
  const {signal} = new AbortController()
  return {
    profile: {name: 'local', settings: profileSchema.parse({})},
    projectDir: cwd,
    stateDir: join(cwd, '.mlv/local'),
    cwd,
    packageDir,
    version: '0',
    folders: {cache: cwd, config: cwd, data: cwd},
    environment: {CI: '1'},
    user: 'minji',
    exec: createExec({dryRun: false, environment: {}, print: () => undefined, signal}),
    reporter: createQuietReporter(createPlainReporter(streams)),
    signal,
    dryRun: false,
    kube: () => Promise.reject(new Error('This profile has no cluster.')),
    command: line => `npx mlv ${line}`,
  }
}

const nothing = {
  context: undefined,
  namespace: undefined,
  force: false,
  name: undefined,
  store: undefined,
  target: undefined,
  torch: undefined,
  yes: true,
}
const init = (cwd: string, options: Partial<InitOptions> = {}) => initProject(contextIn(cwd), {...nothing, ...options})

const validate = async (schemaFile: string) =>
  new Ajv({strict: false}).compile(JSON.parse(await readFile(schemaFile, 'utf8')))

describe('mlv init', () => {
  it('names the flag of a question that nobody can be asked', async () => {
    await expect(init(await temporaryFolder(), {yes: false})).rejects.toMatchObject({
      code: 'MLV_USAGE_NO_TERMINAL',
      message: '"Name of the profile:" cannot be asked: there is no terminal. Give --name.',
    })
  })

  it('writes a file that the schema on its first line finds right', async () => {
    const cwd = await temporaryFolder({'.git/HEAD': ''})
    await init(cwd, {name: 'team', torch: 'cpu', store: 'postgresql://mlv@db/x'})
    const text = await readFile(join(cwd, 'mlv.yaml'), 'utf8')
    const schemaFile = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1] ?? ''
    const isRight = await validate(resolve(cwd, schemaFile))
    expect(isRight(parse(text)) || isRight.errors).toBe(true)
    expect(isRight({...parse(text), profils: {}})).toBe(false)
    const {profile} = await loadProfile({cwd, environment: {}, name: undefined})
    expect(profile).toMatchObject({
      name: 'team',
      settings: {python: {torch: 'cpu'}, mlflow: {store: 'postgresql://mlv@db/x'}},
    })
  })

  it('keeps state and secrets out of git, once', async () => {
    const cwd = await temporaryFolder({'.git/HEAD': '', '.gitignore': 'dist\n/.mlv'})
    expect((await init(cwd)).ignored).toEqual(['.env.local'])
    expect((await init(cwd, {force: true})).ignored).toEqual([])
    expect(await readFile(join(cwd, '.gitignore'), 'utf8')).toBe('dist\n/.mlv\n.env.local\n')
  })

  it('refuses to write over a file, and touches nothing', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': 'default: local # mine\n'})
    await expect(init(cwd)).rejects.toMatchObject({code: 'MLV_SETTINGS_EXIST', exitCode: 2})
    expect(await readFile(join(cwd, 'mlv.yaml'), 'utf8')).toBe('default: local # mine\n')
  })

  it('names the flag where nobody can be asked', async () => {
    const cwd = await temporaryFolder()
    const refused = init(cwd, {yes: false})
    await expect(refused).rejects.toMatchObject({
      code: 'MLV_USAGE_NO_TERMINAL',
      tryThis: [expect.stringContaining('--name')],
    })
  })

  it.each([
    [{torch: 'gpu'}, 'MLV_SETTINGS_VALUE'],
    [{name: 'a/b'}, 'MLV_SETTINGS_VALUE'],
    [{store: 'postgresql://m:hunter2@db/x'}, 'MLV_SETTINGS_PASSWORD'],
  ])('refuses %o', async (options, code) => {
    const cwd = await temporaryFolder()
    const error = await init(cwd, options).catch(thrown => thrown)
    expect(error).toMatchObject({code})
    expect(JSON.stringify([error.message, error.details])).not.toContain('hunter2')
  })
})

describe('the text of a new mlv.yaml', () => {
  const schemaLine = '# yaml-language-server: $schema=x'

  it.each([
    'a "quoted" #1: b',
    "it's",
    '한글 🎉 with spaces ',
    '*star',
    '- dash',
    'yes',
    '{a: b}',
    'two\nlines',
    '\ttab',
  ])('brings %j back unchanged', value => {
    const text = projectText({schemaLine, profile: 'local', values: {storage: value, 'python.path': value}})
    expect(parse(text)).toMatchObject({profiles: {local: {storage: value, python: {path: value}}}})
  })

  it('stays right when its comments become settings', async () => {
    const lines = projectText({schemaLine, profile: 'local', values: {target: 'local'}})
      .split('\n')
      .slice(4)
    const settings = lines.map(line => line.replace(/^( {4})# (?=\s*(# )?[a-z]+:( |$))/, '$1')).join('\n')
    const isRight = await validate(join(packageDir, 'schemas/mlv.schema.json'))
    const value = parse(settings)
    expect(isRight(value) || isRight.errors).toBe(true)
    expect(Object.keys(value.profiles.local)).toEqual(['target', 'python', 'mlflow', 'ray', 'storage'])
  })
})

it('mlv config show says where each value comes from, in 80 columns', async () => {
  const cwd = await temporaryFolder({
    'mlv.yaml': 'profiles:\n  local:\n    storage: "s3://한글/a b"\n',
    '.env': 'MLV_RAY_CPUS=2\n',
  })
  const {profile} = await loadProfile({cwd, environment: {MLV_PYTHON_TORCH: 'cpu'}, name: undefined})
  const context = {...contextIn(cwd), profile}
  const text = formatSettings(showSettings(context), context, true)
  expect(text).toMatch(/^python\.torch +cpu +MLV_PYTHON_TORCH$/m)
  expect(text).toMatch(/^ray\.cpus +2 +MLV_RAY_CPUS in \.env:1$/m)
  expect(text).toMatch(/^storage +s3:\/\/한글\/a b +mlv\.yaml:3:14$/m)
  expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(80)
})
