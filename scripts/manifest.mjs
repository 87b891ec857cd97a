// Writes oclif.manifest.json from the compiled commands, and the first page of help from the manifest.
import {readFileSync, rmSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {Plugin} from '@oclif/core/config'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = new URL('../oclif.manifest.json', import.meta.url)
rmSync(file, {force: true})
const plugin = new Plugin({errorOnManifestCreate: true, ignoreManifest: true, respectNoCacheDefault: true, root})
await plugin.load()
// Help breaks lines by the width of the terminal; those of the source would come on top.
for (const command of Object.values(plugin.manifest.commands)) {
  command.description = command.description?.replaceAll('\n', ' ')
}
writeFileSync(file, JSON.stringify(plugin.manifest, null, 2))

const {rootHelp} = await import('../dist/lib/cli/root-help.js')
const {description, oclif} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const commands = Object.values(plugin.manifest.commands).filter(({hidden}) => !hidden)
writeFileSync(
  new URL('../dist/root-help.txt', import.meta.url),
  rootHelp(commands, {summary: description, topics: oclif.topics}),
)
