import {parseAllDocuments} from 'yaml'
import {z} from 'zod'

import {manifestOf, type Revision} from '../../tools/helm.js'
import type {Kube} from '../../tools/kube-session.js'

const documentSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({name: z.string(), namespace: z.string().optional()}),
})
type Document = z.output<typeof documentSchema>

// Kinds of the charts whose plural is more than an s.
const PLURALS: Readonly<Record<string, string>> = {
  HorizontalPodAutoscaler: 'horizontalpodautoscalers',
  Ingress: 'ingresses',
  NetworkPolicy: 'networkpolicies',
}

/** What somebody changed by hand in what a release put there, such as `Deployment mlflow: spec.replicas is 3, not 2`. */
export async function handEdits(kube: Kube, revision: Revision): Promise<string[]> {
  // Helm reads YAML as version 1.1 does, where 0440 is an octal number.
  const documents = parseAllDocuments(manifestOf(revision), {version: '1.1'})
    .map(document => documentSchema.safeParse(document.toJS()))
    .flatMap(({data}) => (data ? [data] : []))
  const lists = await Promise.all(documents.map(document => editsOf(kube, document)))
  return lists.flat()
}

async function editsOf(kube: Kube, wanted: Document): Promise<string[]> {
  const {kind, metadata} = wanted
  const found = await kube.get(pathOf(kube.namespace, wanted), z.looseObject({}))
  const name = `${kind} ${metadata.name}`
  if (!found) return [`${name} is gone`]
  const {apiVersion: _version, kind: _kind, metadata: _metadata, ...rest} = wanted
  return differences(rest, found, '').map(what => `${name}: ${what}`)
}

function pathOf(namespace: string, {apiVersion, kind, metadata}: Document): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`
  return `${base}/namespaces/${metadata.namespace ?? namespace}/${plural}/${metadata.name}`
}

/** Only what is wanted counts: the cluster adds defaults of its own. */
function differences(wanted: unknown, found: unknown, path: string): string[] {
  if (wanted === null || wanted === undefined || isEmpty(wanted)) return []
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found) || found.length !== wanted.length) return [`${path} has changed`]
    return wanted.flatMap((item, at) => differences(item, partner(item, found, at), `${path}[${nameOf(item) ?? at}]`))
  }
  if (typeof wanted === 'object') {
    if (typeof found !== 'object' || found === null) return [`${path} is gone`]
    const there = found as Record<string, unknown>
    return Object.entries(wanted).flatMap(([key, value]) =>
      differences(value, there[key], path ? `${path}.${key}` : key),
    )
  }
  if (same(wanted, found)) return []
  return [found === undefined ? `${path} is gone` : `${path} is ${String(found)}, not ${String(wanted)}`]
}

const isEmpty = (value: unknown): boolean =>
  value === false || value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

function nameOf(item: unknown): string | undefined {
  const name = typeof item === 'object' && item !== null ? (item as {name?: unknown}).name : undefined
  return typeof name === 'string' ? name : undefined
}

function partner(item: unknown, found: readonly unknown[], at: number): unknown {
  const name = nameOf(item)
  return name === undefined ? found[at] : found.find(candidate => nameOf(candidate) === name)
}

/** `"2"` and 2 are one amount, and so are 1000m and 1. */
function same(wanted: unknown, found: unknown): boolean {
  const [one, other] = [String(wanted), String(found)]
  if (one === other) return true
  const milli = (text: string) => (/^\d+m$/.test(text) ? Number(text.slice(0, -1)) / 1000 : Number(text))
  return milli(one) === milli(other)
}
