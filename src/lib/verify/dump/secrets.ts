import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Context} from '../../context.js'
import {SECRET_NAME} from '../redact.js'

/** The values that this profile and this environment keep secret, so that the dump can be searched for them. */
export async function knownSecrets({environment, stateDir}: Context): Promise<readonly string[]> {
  const folder = join(stateDir, 'credentials')
  const files = (await readdir(folder).catch(() => [])).map(name => join(folder, name))
  const named = Object.entries(environment).filter(([name]) => /_FILE$/.test(name) && SECRET_NAME.test(name))
  files.push(...named.flatMap(([, path]) => (path ? [path] : [])))
  const contents = await Promise.all(files.map(file => readFile(file, 'utf8').catch(() => '')))
  const ofEnvironment = Object.entries(environment).flatMap(([name, value = '']) => [
    ...(SECRET_NAME.test(name) && !/_FILE$|_PATH$|^SSH_/.test(name) ? [value] : []),
    ...passwordsOf(value),
  ])
  return [...contents.flatMap(secretsOfFile), ...ofEnvironment]
}

function secretsOfFile(text: string): string[] {
  try {
    const values: string[] = []
    JSON.parse(text, (key, value) => {
      if (typeof value === 'string' && !/^(user|username|name)$/i.test(key)) values.push(value)
      return value
    })
    return values
  } catch {
    const lines = text.trim().split(/\r?\n/)
    // A file of one line is the secret itself; of settings only the secret ones, or every path would be blanked out.
    if (lines.length === 1) return [text.trim(), ...passwordsOf(text.trim())]
    return lines.flatMap(line => {
      const [, name, value = ''] = /^\s*([\w.-]+)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? []
      if (name === undefined) return /^\s*([[#;]|$)/.test(line) ? [] : [line.trim()]
      return SECRET_NAME.test(name) ? [value] : passwordsOf(value)
    })
  }
}

function passwordsOf(value: string): string[] {
  const userinfo = /^[a-z][a-z0-9+.-]*:\/\/([^\s]*)@/i.exec(value)?.[1]
  if (userinfo === undefined) return []
  const password = userinfo.slice(userinfo.indexOf(':') + 1)
  return [password, decoded(password)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
