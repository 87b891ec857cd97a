import {chmod, mkdir, symlink, truncate, utimes, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {unzipSync} from 'fflate'
import {beforeEach, describe, expect, it} from 'vitest'

import {checkNamed, listUpload} from '../../../src/lib/jobs/upload-files.js'
import {pack} from '../../../src/lib/jobs/upload-package.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

let folder: string

beforeEach(async () => {
  folder = await temporaryFolder()
})

async function write(path: string, text = path): Promise<void> {
  await mkdir(dirname(join(folder, path)), {recursive: true})
  await writeFile(join(folder, path), text)
}

async function sent(): Promise<string[]> {
  return (await listUpload(folder)).files.map(file => file.path)
}

describe('what is sent of a folder', () => {
  it('never holds history, secrets, environments or caches, even without an ignore file', async () => {
    for (const path of [
      '.git/config',
      '.mlv/local/credentials/admin',
      '.env',
      '.env.local',
      'venv/bin/python',
      'other/pyvenv.cfg',
      'other/lib/x.py',
      'pkg/__pycache__/a.pyc',
      'node_modules/a/index.js',
      'mlv-support-2026-11-29T10-00-00.txt',
      'train.py',
    ]) {
      await write(path)
    }
    expect(await sent()).toEqual(['train.py'])
  })

  it('follows .gitignore and .mlvignore, the nearer and the later before the others', async () => {
    await write('.gitignore', 'data/\n*.bin\n')
    await write('.mlvignore', '!keep.bin\nnotes.md\n')
    await write('sub/.gitignore', '!inner.bin\n')
    for (const path of ['data/a.csv', 'a.bin', 'keep.bin', 'notes.md', 'sub/inner.bin', 'sub/b.py']) await write(path)
    expect(await sent()).toEqual([
      '.gitignore',
      '.mlvignore',
      'keep.bin',
      'sub/.gitignore',
      'sub/b.py',
      'sub/inner.bin',
    ])
    const {leftOut} = await listUpload(folder)
    expect(leftOut).toContainEqual({path: 'data/', rule: '.gitignore: data/'})
    expect(leftOut).toContainEqual({path: 'notes.md', rule: '.mlvignore: notes.md'})
  })

  it('takes links that stay inside, and leaves out those that lead out, nowhere or in a circle', async () => {
    await write('real/a.txt', 'a')
    await symlink('real/a.txt', join(folder, 'inside'))
    await symlink('/etc/passwd', join(folder, 'outside'))
    await symlink('nothing', join(folder, 'broken'))
    await symlink('..', join(folder, 'real', 'circle'))
    expect(await sent()).toEqual(['inside', 'real/a.txt'])
    expect((await listUpload(folder)).leftOut.map(entry => entry.path)).toEqual(['broken', 'outside', 'real/circle'])
  })

  it('takes names with spaces and letters of any language', async () => {
    for (const path of ['한국어 폴더/모델 1.py', "it's.txt"]) await write(path)
    const {zip} = await pack(await listUpload(folder))
    expect(Object.keys(unzipSync(zip)).sort()).toEqual(["it's.txt", '한국어 폴더/모델 1.py'])
  })

  it('is refused above 100 MiB, naming the five largest', async () => {
    for (let index = 1; index <= 6; index++) {
      await write(`big-${index}.bin`)
      await truncate(join(folder, `big-${index}.bin`), (20 + index) * 1024 * 1024)
    }
    const refused = await listUpload(folder).catch((error: unknown) => error)
    expect(refused).toMatchObject({code: 'MLV_UPLOAD_TOO_BIG', tryThis: ["echo 'big-6.bin' >> .mlvignore"]})
    const {details} = refused as {details: string[]}
    expect(details.slice(1).map(line => line.trim().split('  ')[1])).toEqual(
      [6, 5, 4, 3, 2].map(index => `big-${index}.bin`),
    )
  })
})

describe('an ignored file that the command names', () => {
  it('is an error with the rule and the way around it', async () => {
    await write('.gitignore', 'conf/\n')
    await write('conf/a.yaml')
    const list = await listUpload(folder)
    expect(() => checkNamed(list, ['python', 't.py', '--config=conf/a.yaml'])).toThrow(
      expect.objectContaining({
        code: 'MLV_UPLOAD_LEFT_OUT',
        message: 'The command names conf/a.yaml, which is not sent (.gitignore: conf/).',
        tryThis: ["echo '!conf/' >> .mlvignore"],
      }),
    )
  })

  it('names a way around a rule that nobody can lift', async () => {
    await write('.env')
    const list = await listUpload(folder)
    expect(() => checkNamed(list, ['cat', '.env'])).toThrow(
      expect.objectContaining({tryThis: ['cp .env a-name-that-is-sent']}),
    )
  })

  it('is no matter for arguments that are no files, or files that are sent', async () => {
    await write('.gitignore', 'build\n')
    await write('build/x')
    await write('train.py')
    const list = await listUpload(folder)
    for (const argument of ['builder', '--lr=0.1', 'train.py', '../build', '', '=']) {
      expect(() => checkNamed(list, ['python', argument])).not.toThrow()
    }
  })
})

describe('the package', () => {
  it('is the same for the same content, whenever it was written, and another for another', async () => {
    await write('a.py', 'print(1)')
    await chmod(join(folder, 'a.py'), 0o755)
    const first = await pack(await listUpload(folder))
    await utimes(join(folder, 'a.py'), 1, 1)
    expect((await pack(await listUpload(folder))).name).toBe(first.name)
    await write('a.py', 'print(2)')
    expect((await pack(await listUpload(folder))).name).not.toBe(first.name)
  })
})
