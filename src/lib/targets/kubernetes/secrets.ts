import {randomBytes} from 'node:crypto'

import type {Context} from '../../context.js'
import {KubeError} from '../../tools/kube-error.js'
import {anySchema, secretSchema} from '../../tools/kube-objects.js'
import type {Kube} from '../../tools/kube-session.js'
import {Secret} from '../../tools/secret.js'
import type {Credential} from '../../types/target.js'
import {ADMIN, corePath, SECRETS, userSecret} from './names.js'

/** The values of a Secret; undefined where there is none. */
export async function readSecret(kube: Kube, name: string): Promise<Record<string, string> | undefined> {
  const found = await kube.get(corePath(kube.namespace, 'secrets', name), secretSchema)
  if (!found) return undefined
  const entries = Object.entries(found.data ?? {})
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]))
}

/** Writes a Secret as a whole, whoever made it before. */
export async function writeSecret(kube: Kube, name: string, values: Readonly<Record<string, Secret>>): Promise<void> {
  const revealed = Object.entries(values).map(([key, value]) => [key, value.reveal()])
  const object = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {name, labels: {'app.kubernetes.io/managed-by': 'mlv'}},
    type: 'Opaque',
    stringData: Object.fromEntries(revealed),
  }
  const path = corePath(kube.namespace, 'secrets')
  await kube.call('POST', path, anySchema, {body: object}).catch(async error => {
    if (!(error instanceof KubeError && error.status === 409)) throw error
    await kube.call('PUT', `${path}/${name}`, anySchema, {body: object})
  })
}

/** Makes what is missing of a Secret; what is there stays, whatever it is. */
export async function completeSecret(
  kube: Kube,
  name: string,
  make: Readonly<Record<string, () => Secret>>,
): Promise<void> {
  const there = await readSecret(kube, name)
  const missing = Object.keys(make).filter(key => !there?.[key])
  if (there && missing.length === 0) return
  const made = Object.entries(make).map(([key, value]) => [key, there?.[key] ? new Secret(there[key]) : value()])
  await writeSecret(kube, name, Object.fromEntries(made))
}

export const makeKey = (): Secret => new Secret(randomBytes(32).toString('hex'))
/** MLflow asks for 12 characters at least. */
export const makePassword = (): Secret => new Secret(randomBytes(24).toString('base64url'))

export const fileOfUser = (username: string): string => `${username}.json`

export async function readCredential(context: Context, username: string): Promise<Credential | undefined> {
  const kube = await context.kube()
  if (username === ADMIN) {
    const password = (await readSecret(kube, SECRETS.mlflow))?.['admin-password']
    return password ? {username, password: new Secret(password)} : undefined
  }
  const text = (await readSecret(kube, userSecret(username)))?.[fileOfUser(username)]
  try {
    const {password} = JSON.parse(text ?? '') as {password?: unknown}
    return typeof password === 'string' && password ? {username, password: new Secret(password)} : undefined
  } catch {
    return undefined
  }
}

export async function saveCredential(context: Context, {password, username}: Credential): Promise<void> {
  const kube = await context.kube()
  await writeSecret(kube, userSecret(username), {[fileOfUser(username)]: credentialText(username, password)})
}

export const credentialText = (username: string, password: Secret): Secret =>
  new Secret(JSON.stringify({username, password: password.reveal()}))
