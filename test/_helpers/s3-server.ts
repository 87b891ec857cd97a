import {spawn} from 'node:child_process'
import {createInterface} from 'node:readline'

import {developmentPython} from '../../scripts/development-python.mjs'
import {root} from './source-tree.js'

export interface S3Server {
  readonly endpoint: string
  readonly bucket: string
  /** Of the one user who may come in. */
  readonly key: string
  readonly secret: string
  /** Every key in the bucket. */
  keys(): Promise<readonly string[]>
  stop(): Promise<void>
}

/** A server with the interface of S3, on loopback or another address; see python/tests/s3_server.py. */
export async function startS3(address = '127.0.0.1'): Promise<S3Server> {
  const child = spawn(developmentPython(), ['python/tests/s3_server.py', address], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise(resolve => child.once('exit', resolve))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async () => JSON.parse(String((await lines.next()).value))
  return {
    ...(await next()),
    keys() {
      child.stdin.write('\n')
      return next()
    },
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
