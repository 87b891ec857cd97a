import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {type LoadOptions, loadProfile} from '../../../src/lib/profile/load.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const load = (cwd: string, options: Partial<LoadOptions> = {}) =>
  loadProfile({cwd, environment: {}, name: undefined, ...options})

const TEAM = `default: team
profiles:
  team:
    target: local
    python:
      torch: cpu
    ray:
      cpus: 4
  big:
    ray: {cpus: 8}
`

describe('the profile that a command acts on', () => {
  it('is the built-in local, with its state in the current folder, where there is no mlv.yaml', async () => {
    const cwd = await temporaryFolder({'.git/HEAD': ''})
    const {profile, projectDir} = await load(cwd)
    expect(profile.name).toBe('local')
    expect(profile.file).toBeUndefined()
    expect(profile.origins?.name).toEqual({kind: 'default'})
    expect(profile.settings).toMatchObject({target: 'local', python: {torch: 'auto'}})
    expect(projectDir).toBe(cwd)
  })

  it('comes from the nearest mlv.yaml upward', async () => {
    const root = await temporaryFolder({
      '.git/HEAD': '',
      'mlv.yaml': TEAM,
      'a/mlv.yaml': 'default: local',
      'a/b/c.txt': '',
    })
    const {profile, projectDir} = await load(join(root, 'a/b'))
    expect(projectDir).toBe(join(root, 'a'))
    expect(profile.name).toBe('local')
  })

  it('never comes from above the git root', async () => {
    const root = await temporaryFolder({'mlv.yaml': TEAM, 'repository/.git/HEAD': ''})
    expect((await load(join(root, 'repository'))).profile.name).toBe('local')
  })

  it('counts in the git root itself, also where .git is a file', async () => {
    const root = await temporaryFolder({'.git': 'gitdir: elsewhere', 'mlv.yaml': TEAM, 'deep/er/x': ''})
    expect((await load(join(root, 'deep/er'))).profile.name).toBe('team')
  })

  it('is chosen by flag over variable over default', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': TEAM})
    expect((await load(cwd)).profile.name).toBe('team')
    const variable = {environment: {MLV_PROFILE: 'big'}}
    expect((await load(cwd, variable)).profile.origins?.name).toEqual({kind: 'environment', variable: 'MLV_PROFILE'})
    expect((await load(cwd, {...variable, name: 'team'})).profile.name).toBe('team')
  })

  it('is the only one that the file has, when it names no default', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': 'profiles:\n  one:\n    ray: {cpus: 1}\n'})
    expect((await load(cwd)).profile.name).toBe('one')
  })

  it('is asked for when there are several and none is the default', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': 'profiles:\n  one:\n  two:\n'})
    await expect(load(cwd)).rejects.toMatchObject({code: 'MLV_PROFILE_UNKNOWN', details: ['Profiles: one, two.']})
  })

  it('is answered with the nearest name and the list when it does not exist', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': TEAM})
    await expect(load(cwd, {name: 'taem'})).rejects.toMatchObject({
      code: 'MLV_PROFILE_UNKNOWN',
      exitCode: 2,
      message: 'There is no profile "taem" in mlv.yaml. Did you mean "team"?',
      details: ['Profiles: team, big, local.'],
    })
  })

  it('is refused with its line when `default:` names one that is not there', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': 'default: constructor\nprofiles:\n  team:\n'})
    await expect(load(cwd)).rejects.toMatchObject({
      code: 'MLV_PROFILE_UNKNOWN',
      message: expect.stringContaining('mlv.yaml, line 1, column 10: default names the profile "constructor"'),
    })
  })
})

describe('a setting', () => {
  it('comes from flag over environment over .env.local over .env over mlv.yaml over the user file over its default', async () => {
    const cwd = await temporaryFolder({
      'mlv.yaml': 'profiles:\n  local:\n    ray:\n      cpus: 3\n      gpus: 3\n',
      '.env': 'MLV_RAY_CPUS=4\nMLV_RAY_GPUS=4\n',
      '.env.local': 'MLV_RAY_CPUS=5\n',
      'config/config.yaml': 'python:\n  torch: cu128\nray: {gpus: 2}\n',
    })
    const options = {configDir: join(cwd, 'config')}
    const cpus = async (more: Partial<LoadOptions>) =>
      (await load(cwd, {...options, ...more})).profile.settings.ray.cpus
    expect(await cpus({environment: {MLV_RAY_CPUS: '6'}, flags: ['ray.cpus=7']})).toBe(7)
    expect(await cpus({environment: {MLV_RAY_CPUS: '6'}})).toBe(6)
    expect(await cpus({})).toBe(5)
    // An empty variable takes away what .env says.
    expect(await cpus({environment: {MLV_RAY_CPUS: ''}})).toBe(3)
    const {settings, origins} = (await load(cwd, options)).profile
    expect(settings).toMatchObject({ray: {gpus: 4}, python: {torch: 'cu128'}})
    expect(origins?.settings).toMatchObject({
      'ray.cpus': {kind: 'environment', variable: 'MLV_RAY_CPUS', file: join(cwd, '.env.local'), line: 1},
      'ray.gpus': {kind: 'environment', variable: 'MLV_RAY_GPUS', file: join(cwd, '.env'), line: 2},
      'python.torch': {kind: 'user', file: join(cwd, 'config/config.yaml'), line: 2, column: 10},
      'mlflow.port': {kind: 'default'},
    })
  })

  it('remembers its line and column in mlv.yaml, also through an alias', async () => {
    const cwd = await temporaryFolder({
      'mlv.yaml': 'default: b\nprofiles:\n  a:\n    ray: &many\n      cpus: 9\n  b:\n    ray: *many\n',
    })
    const {profile} = await load(cwd)
    expect(profile.settings.ray.cpus).toBe(9)
    expect(profile.origins?.settings['ray.cpus']).toEqual({
      kind: 'project',
      file: join(cwd, 'mlv.yaml'),
      line: 5,
      column: 13,
    })
  })

  it('whose key is there without a value is not set', async () => {
    const cwd = await temporaryFolder({
      'mlv.yaml': 'profiles:\n  local:\n    python:\n      # torch: cpu\n    storage:\n',
    })
    const {profile} = await load(cwd)
    expect(profile.settings).toMatchObject({python: {torch: 'auto'}})
    expect(profile.settings.storage).toBeUndefined()
  })

  it('of the wrong type in a variable is refused by the name of the variable', async () => {
    const cwd = await temporaryFolder()
    await expect(load(cwd, {environment: {MLV_RAY_CPUS: 'many'}})).rejects.toMatchObject({
      code: 'MLV_SETTINGS_VALUE',
      message: 'MLV_RAY_CPUS is "many"; it takes a whole number of at least 1.',
    })
  })
})

describe('.env', () => {
  it('gives settings and the ways to reach storage, and nothing else', async () => {
    const cwd = await temporaryFolder({
      '.env': 'AWS_REGION=eu-west-1\nDATABASE_URL=x\nPATH=/evil\nMLV_STORAGE="s3://bucket/a b#c"\n',
    })
    const {environment, profile} = await load(cwd, {environment: {PATH: '/bin'}})
    expect(environment).toEqual({PATH: '/bin', AWS_REGION: 'eu-west-1', MLV_STORAGE: 's3://bucket/a b#c'})
    expect(profile.settings.storage).toBe('s3://bucket/a b#c')
  })

  it('loses against the environment', async () => {
    const cwd = await temporaryFolder({'.env': 'AWS_REGION=eu-west-1\n'})
    expect((await load(cwd, {environment: {AWS_REGION: 'us-east-1'}})).environment.AWS_REGION).toBe('us-east-1')
  })

  it('warns of a variable of mlv that does not exist', async () => {
    const cwd = await temporaryFolder({'.env': '# settings\nMLV_RAY_CPU=2\n'})
    expect((await load(cwd)).warnings).toEqual([
      '.env:2: MLV_RAY_CPU is no setting and is not read. Did you mean "MLV_RAY_CPUS"?',
    ])
  })

  it('may be a folder, as Python people name their environments', async () => {
    const cwd = await temporaryFolder()
    await mkdir(join(cwd, '.env'))
    expect((await load(cwd)).profile.name).toBe('local')
  })
})

it('says that mlv.yml is not read', async () => {
  const cwd = await temporaryFolder({'mlv.yml': TEAM})
  expect((await load(cwd)).warnings).toEqual(['mlv.yml is not read; its name has to be mlv.yaml.'])
})
