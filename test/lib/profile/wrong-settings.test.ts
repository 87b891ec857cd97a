import {join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {MlvError} from '../../../src/lib/errors.js'
import {loadProfile} from '../../../src/lib/profile/load.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

/** What somebody is told who has this mlv.yaml. */
async function refusal(text: string, environment = {}): Promise<MlvError> {
  const cwd = await temporaryFolder({'mlv.yaml': text})
  const error = await loadProfile({cwd, environment, name: undefined}).catch((thrown: MlvError) => thrown)
  if (!(error instanceof MlvError)) throw new Error('nothing was refused')
  expect(error.tryThis.length, 'says what to try').toBeGreaterThan(0)
  return error
}

const local = (body: string) => `profiles:\n  local:\n${body.replaceAll(/^/gm, '    ')}\n`

const cases = [
  {
    what: 'an unknown key, with the nearest one',
    text: local('pyton:\n  torch: cpu'),
    code: 'MLV_SETTINGS_KEY',
    message: 'mlv.yaml, line 3, column 5: Unknown key "pyton" in profiles.local. Did you mean "python"?',
    details: ['3 |     pyton:', '  |     ^^^^^'],
  },
  {
    what: 'an unknown key with nothing near, with those that are known',
    text: 'zzz: 1\n',
    code: 'MLV_SETTINGS_KEY',
    message: 'mlv.yaml, line 1, column 1: Unknown key "zzz". Known here: default, profiles.',
    details: ['1 | zzz: 1', '  | ^^^'],
  },
  {
    what: 'a value of the wrong type, behind letters that take two columns',
    text: local('ray: {한글: 1, cpus: "many"}'),
    code: 'MLV_SETTINGS_KEY',
    message: 'mlv.yaml, line 3, column 11: Unknown key "한글" in profiles.local.ray. Known here: port, cpus, gpus.',
    details: [
      '3 |     ray: {한글: 1, cpus: "many"}',
      '  |           ^^^^',
      '',
      'mlv.yaml, line 3, column 24: profiles.local.ray.cpus is "many"; it takes a whole number of at least 1.',
      '',
      '3 |     ray: {한글: 1, cpus: "many"}',
      '  |                          ^^^^^^',
    ],
  },
  {
    what: 'a value out of its range, with the range',
    text: local('mlflow:\n  port: 99999'),
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 4, column 13: profiles.local.mlflow.port is 99999; it takes a whole number from 1 to 65535.',
    details: ['4 |       port: 99999', '  |             ^^^^^'],
  },
  {
    what: 'a broken number',
    text: local('ray:\n  cpus: 1.5'),
    code: 'MLV_SETTINGS_VALUE',
    message: 'mlv.yaml, line 4, column 13: profiles.local.ray.cpus is 1.5; it takes a whole number of at least 1.',
  },
  {
    what: 'a choice that is none, with the nearest',
    text: local('target: locl'),
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 3, column 13: profiles.local.target is "locl"; it takes one of: local, kubernetes. Did you mean "local"?',
  },
  {
    what: 'a pattern that is not met, in words',
    text: local('python: {torch: gpu}'),
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 3, column 21: profiles.local.python.torch is "gpu"; it takes auto, cpu, or one of the indexes of PyTorch such as cu128.',
  },
  {
    what: 'a store without the name of a database',
    text: local('mlflow: {store: "postgresql://mlv@db"}'),
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 3, column 21: profiles.local.mlflow.store is "postgresql://mlv@db"; it takes an address such as postgresql://user@host:5432/mlflow.',
  },
  {
    what: 'a store at a port that none is',
    text: local('mlflow: {store: "postgresql://mlv@db:70000/mlflow"}'),
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 3, column 21: profiles.local.mlflow.store is "postgresql://mlv@db:70000/mlflow"; it takes an address such as postgresql://user@host:5432/mlflow.',
  },
  {
    what: 'a store of files that mlv does not reach',
    text: local('storage: gs://bucket/a'),
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 3, column 14: profiles.local.storage is "gs://bucket/a"; it takes a folder, an address such as s3://my-bucket/folder, or claim://NAME.',
  },
  {
    what: 'a value where keys belong',
    text: local('python: cpu'),
    code: 'MLV_SETTINGS_VALUE',
    message: 'mlv.yaml, line 3, column 13: profiles.local.python is "cpu"; it takes keys with values.',
  },
  {
    what: 'a list for a file',
    text: '- 1\n',
    code: 'MLV_SETTINGS_VALUE',
    message: 'mlv.yaml, line 1, column 1: The whole file is a list; it takes keys with values.',
  },
  {
    what: 'a name of a profile that is no name',
    text: 'profiles:\n  a/b:\n    target: local\n',
    code: 'MLV_SETTINGS_VALUE',
    message:
      'mlv.yaml, line 2, column 3: "a/b" is no name: it takes letters, digits, ".", "_" and "-", and begins with a letter or digit.',
  },
  {
    what: 'the same key twice',
    text: local('target: local\nray: {}\ntarget: local'),
    code: 'MLV_SETTINGS_SYNTAX',
    message: 'mlv.yaml, line 5, column 5: The key "target" stands here twice.',
    details: ['5 |     target: local', '  |     ^'],
  },
  {
    what: 'a quote that is never closed',
    text: 'default: "lo\n',
    code: 'MLV_SETTINGS_SYNTAX',
    message: 'mlv.yaml, line 2, column 1: A quote, bracket or comma is missing here.',
  },
  {
    what: 'a tab',
    text: 'profiles:\n\tlocal: 1\n',
    code: 'MLV_SETTINGS_SYNTAX',
    message: 'mlv.yaml, line 2, column 1: A tab indents this line; YAML takes spaces.',
  },
  {
    what: 'two documents',
    text: 'default: a\n---\ndefault: b\n',
    code: 'MLV_SETTINGS_SYNTAX',
    message: 'mlv.yaml, line 2, column 1: A second YAML document begins here; one file holds one.',
  },
  {
    what: 'a tag, such as those that make objects elsewhere',
    text: 'default: !!python/object:os.system x\n',
    code: 'MLV_SETTINGS_SYNTAX',
    message: expect.stringContaining('mlv.yaml, line 1, column 10: Unresolved tag'),
  },
]

describe('a wrong mlv.yaml', () => {
  it.each(cases)('is refused for $what', async ({text, code, message, details}) => {
    const error = await refusal(text)
    expect({code: error.code, exitCode: error.exitCode, message: error.message}).toEqual({code, exitCode: 2, message})
    if (details) expect(error.details).toEqual(details)
  })

  it('that expands aliases without end is refused before it fills the memory', async () => {
    const levels = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [index, name] of [...'bcdefghi'].entries()) {
      const above = `*${'abcdefghi'[index]}`
      levels.push(`${name}: &${name} [${Array.from({length: 9}, () => above).join(', ')}]`)
    }
    expect(await refusal(levels.join('\n'))).toMatchObject({
      code: 'MLV_SETTINGS_SYNTAX',
      message: 'mlv.yaml expands too many aliases.',
    })
  })

  it('that holds itself is refused', async () => {
    expect(await refusal('profiles: &p\n  local: *p\n')).toMatchObject({code: 'MLV_SETTINGS_SYNTAX'})
  })

  it('that is no text is refused', async () => {
    const {writeFile} = await import('node:fs/promises')
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, 'mlv.yaml'), new Uint8Array([0x64, 0xff, 0xfe, 0x00]))
    await expect(loadProfile({cwd, environment: {}, name: undefined})).rejects.toMatchObject({
      message: 'mlv.yaml is not UTF-8 text.',
    })
  })

  it('that is a folder is refused', async () => {
    const cwd = await temporaryFolder({'mlv.yaml/x': ''})
    await expect(loadProfile({cwd, environment: {}, name: undefined})).rejects.toMatchObject({
      message: 'mlv.yaml is a folder; it has to be a file.',
    })
  })

  it('in the user folder is named by its path', async () => {
    const cwd = await temporaryFolder({'config/config.yaml': 'target: local\n'})
    const error = loadProfile({cwd, environment: {}, name: undefined, configDir: join(cwd, 'config')})
    await expect(error).rejects.toMatchObject({
      code: 'MLV_SETTINGS_KEY',
      message: expect.stringContaining(`${join(cwd, 'config/config.yaml')}, line 1, column 1: Unknown key "target"`),
    })
  })
})

describe('a password inside mlflow.store', () => {
  const addresses = [
    'postgresql://mlv:hunter2@db/mlflow',
    'postgresql://mlv:p@ss/hunter2@db/mlflow',
    'postgresql://mlv@db/mlflow?password=hunter2',
    'mysql://mlv:hunter2@db/mlflow',
  ]

  it.each(addresses)('is refused and never shown: %s', async address => {
    for (const error of [
      await refusal(local(`mlflow: {store: "${address}"}`)),
      await refusal('', {MLV_MLFLOW_STORE: address}),
    ]) {
      expect(error.code).toMatch(/^MLV_SETTINGS_(PASSWORD|VALUE)$/)
      expect(JSON.stringify([error.message, error.details, error.tryThis])).not.toContain('hunter2')
      if (address.startsWith('postgres')) expect(error.tryThis.join(' ')).toContain('MLV_MLFLOW_STORE_PASSWORD')
    }
  })

  it('is what an address without one does not have', async () => {
    const cwd = await temporaryFolder({'mlv.yaml': local('mlflow: {store: "postgresql://mlv@db:5432/mlflow"}')})
    const {profile} = await loadProfile({cwd, environment: {}, name: undefined})
    expect(profile.settings.mlflow.store).toBe('postgresql://mlv@db:5432/mlflow')
  })
})
