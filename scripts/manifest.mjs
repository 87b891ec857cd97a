// Writes oclif.manifest.json from the compiled commands.
import {rmSync, writeFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {Plugin} from '@oclif/core/config'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = new URL('../oclif.manifest.json', import.meta.url)
rmSync(file, {force: true})
const plugin = new Plugin({errorOnManifestCreate: true, ignoreManifest: true, respectNoCacheDefault: true, root})
await plugin.load()
writeFileSync(file, JSON.stringify(plugin.manifest, null, 2))
