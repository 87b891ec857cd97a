// Puts src/ and the packages it uses into few files, dist/bundle: loading 350 modules one by one is most of what a short
// command would take. A command keeps a file of its own, where oclif looks for it; nothing is minified, and source maps
// lead back to src/. See docs/decisions/bundle.md.
import {readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join, sep} from 'node:path'
import {fileURLToPath} from 'node:url'
import {rolldown} from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = join(root, 'dist/bundle')

const commands = readdirSync(join(root, 'src/commands'), {recursive: true})
  .map(String)
  .filter(file => file.endsWith('.ts'))
  .map(file => [`commands/${file.slice(0, -'.ts'.length)}`, join(root, 'src/commands', file)])

rmSync(out, {force: true, recursive: true})
const bundle = await rolldown({
  // oclif asks for them only in a checkout whose commands are TypeScript, which is never the case here.
  external: ['typescript', 'ts-node'],
  input: {main: join(root, 'src/lib/cli/main.ts'), ...Object.fromEntries(commands)},
  platform: 'node',
  resolve: {extensionAlias: {'.js': ['.ts', '.js']}},
})
const {output} = await bundle.write({
  chunkFileNames: 'chunks/[name]-[hash].js',
  dir: out,
  entryFileNames: '[name].js',
  format: 'esm',
  sourcemap: true,
})
await bundle.close()
for (const {fileName, type} of output) {
  if (type === 'chunk' || !fileName.endsWith('.map')) continue
  // Where a line comes from is enough; what it says is in src/.
  const {sourcesContent, ...map} = JSON.parse(readFileSync(join(out, fileName), 'utf8'))
  writeFileSync(join(out, fileName), JSON.stringify(map))
}
writeFileSync(join(out, 'LICENSES.txt'), licences(output.flatMap(chunk => chunk.moduleIds ?? [])))

/** The licence of every package of which something is in the bundle, as each of them asks. */
function licences(modules) {
  const marker = `${sep}node_modules${sep}`
  const folders = new Set(
    modules
      .filter(id => id.includes(marker))
      .map(id => {
        const at = id.lastIndexOf(marker) + marker.length
        const [first, second] = id.slice(at).split(sep)
        return id.slice(0, at) + (first.startsWith('@') ? `${first}${sep}${second}` : first)
      }),
  )
  const texts = [...folders].sort().map(folder => {
    const {author, license, name, version} = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry))
    const who = typeof author === 'object' ? author.name : author
    const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `${license}${who ? `, ${who}` : ''}`
    return `${name} ${version} (${license})\n\n${text}`
  })
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}
