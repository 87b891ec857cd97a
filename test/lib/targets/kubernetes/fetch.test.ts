import {spawn} from 'node:child_process'
import {mkdtemp, readFile, stat, writeFile} from 'node:fs/promises'
import {createServer, type RequestListener} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, it} from 'vitest'
import {pack} from '../../../../src/lib/jobs/upload-package.js'
import {ended} from '../../../_helpers/journey.js'
import {temporaryFolder} from '../../../_helpers/temporary-folder.js'

let folder: string
let answer: RequestListener
const server = createServer((request, response) => answer(request, response))

beforeEach(async () => {
  folder = await temporaryFolder()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  await writeFile(join(folder, 'sign-in.json'), '{"username": "mlv-jobs", "password": "a secret: with colons"}')
})

afterEach(() => new Promise(resolve => server.close(resolve)))

async function fetchInto(target: string) {
  const source = await readFile('charts/ray-cluster/files/fetch.py', 'utf8')
  const wanted = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/artifacts/1/r/artifacts`,
    credentials: join(folder, 'sign-in.json'),
    folders: {'job/code.zip': target},
  }
  return ended(spawn('python3', ['-I', '-c', source, JSON.stringify(wanted)], {stdio: ['ignore', 'pipe', 'pipe']}))
}

it('brings a job’s code into a pod, programs executable as they were, also over what lies there', async () => {
  const made = await mkdtemp(join(folder, 'made-'))
  await writeFile(join(made, 'run.sh'), '#!/bin/sh\n')
  const files = [{path: 'bin/run.sh', source: join(made, 'run.sh'), bytes: 10, executable: true}]
  const {zip} = await pack({folder: made, files, bytes: 10, leftOut: []})
  const asked: string[] = []
  answer = ({headers, url}, response) => {
    asked.push(`${url} ${Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')}`)
    response.end(zip)
  }
  const target = join(folder, 'code')
  for (let time = 0; time < 2; time++) expect(await fetchInto(target)).toMatchObject({code: 0, stderr: ''})
  expect(asked[0]).toBe('/artifacts/1/r/artifacts/job/code.zip mlv-jobs:a secret: with colons')
  expect(((await stat(join(target, 'bin/run.sh'))).mode & 0o111) > 0).toBe(true)
})

it('says in one line why the code of a job cannot be read, without the password', async () => {
  answer = (_request, response) => response.writeHead(403).end('no')
  const {code, stderr} = await fetchInto(join(folder, 'code'))
  expect(code).toBe(1)
  expect(stderr).toMatch(/^The job's files cannot be read from MLflow: http:\S+ answers 403\.\n$/)
})
