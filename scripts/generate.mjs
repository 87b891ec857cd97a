// `npm run generate`: writes what is made from code (JSON schemas, tables of the docs) after a build.
import {mkdirSync, writeFileSync} from 'node:fs'
import {dirname} from 'node:path'
import {fileURLToPath} from 'node:url'

import {generatedFiles} from './generated.mjs'

const root = new URL('../', import.meta.url)
for (const [path, text] of await generatedFiles(module => import(new URL(`dist/${module}`, root).href))) {
  const file = fileURLToPath(new URL(path, root))
  mkdirSync(dirname(file), {recursive: true})
  writeFileSync(file, text)
  process.stderr.write(`✔ ${path}\n`)
}
