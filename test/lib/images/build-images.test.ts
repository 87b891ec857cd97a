import {execFileSync} from 'node:child_process'
import {access, chmod, readFile, symlink} from 'node:fs/promises'
import {delimiter, join} from 'node:path'
import {describe, expect, it} from 'vitest'

import {buildImages, formatImages} from '../../../src/lib/images/build-images.js'
import {createExec} from '../../../src/lib/tools/exec.js'
import {projectContext} from '../../_helpers/project-context.js'
import {temporaryFolder} from '../../_helpers/temporary-folder.js'

const DIGEST = `sha256:${'5'.repeat(64)}`

/** A builder that keeps a list of its images and of what it was told; words in its folder decide how it ends. */
const script = `#!/bin/sh
here=$(dirname "$0")/..
echo "$(basename "$0") $*" >> "$here/told"
case "$1 $2" in
  'version '*) [ ! -e "$here/no-daemon" ] || { echo 'Cannot connect to the daemon' >&2; exit 1; } ;;
  '--version '*) ;;
  'image inspect') grep -qxF "$3" "$here/images" ;;
  'inspect --type') grep -qxF "$4" "$here/images" ;;
  'build '*)
    echo 'step 1'; echo 'step 2' >&2
    for word in "$@"; do case $word in id=packages,src=*) cp "\${word#id=packages,src=}" "$here/packages" ;; esac; done
    [ ! -e "$here/broken" ] || { echo 'ERROR: No matching distribution'; exit 1; }
    while [ $# -gt 0 ]; do [ "$1" != --tag ] || echo "$2" >> "$here/images"; shift; done ;;
  'tag '*) ;;
  'push '*)
    [ ! -e "$here/refused" ] || { echo 'denied: requested access to the resource is denied' >&2; exit 1; }
    echo 'x: digest: ${DIGEST} size: 1'
    [ "$2" != --digestfile ] || printf '${DIGEST}' > "$3" ;;
esac
`

async function builders(names: readonly string[], environment: Record<string, string> = {}, words: string[] = []) {
  const programs = Object.fromEntries(names.map(name => [`bin/${name}`, script]))
  const signs = Object.fromEntries(words.map(word => [word, '']))
  const folder = await temporaryFolder({images: '', told: '', 'tools/readme': '', ...programs, ...signs})
  for (const name of names) await chmod(join(folder, 'bin', name), 0o755)
  // Only what the script calls: this machine may have builders of its own.
  for (const tool of ['basename', 'cp', 'dirname', 'grep'])
    await symlink(execFileSync('which', [tool], {encoding: 'utf8'}).trim(), join(folder, 'tools', tool))
  const path = [join(folder, 'bin'), join(folder, 'tools')].join(delimiter)
  const {context, lines} = projectContext(folder, {PATH: path, ...environment})
  const told = async () => (await readFile(join(folder, 'told'), 'utf8')).trim().split('\n')
  return {context, folder, lines, told}
}

describe('mlv images build', () => {
  it('takes the first builder that answers, and leaves alone a docker without its daemon', async () => {
    const {context, told} = await builders(['docker', 'podman'], {}, ['no-daemon'])
    const {builder, images} = await buildImages({context})
    expect(builder).toBe('podman')
    expect(images.map(({image, built}) => [image, built])).toEqual([
      ['mlflow', true],
      ['train', true],
    ])
    expect((await told()).filter(line => line.includes(' build '))).toEqual(
      images.map(
        ({image, name}) =>
          `podman build --file ${context.packageDir}docker/${image}.Dockerfile --tag ${name} ${context.packageDir}`,
      ),
    )
  })

  it('builds nothing twice, but anew what is made of something else', async () => {
    const {context, told} = await builders(['buildah'])
    const first = await buildImages({context})
    const second = await buildImages({context})
    expect(second.images).toEqual(first.images.map(image => ({...image, built: false})))
    const other = await buildImages({context, only: 'train', torchIndex: 'https://torch.example.com/cpu'})
    expect(other.images[0]?.name).not.toBe(first.images[1]?.name)
    expect(await buildImages({context, only: 'mlflow', torchIndex: 'https://torch.example.com/cpu'})).toMatchObject({
      images: [{built: false}],
    })
    expect((await told()).filter(line => line.includes(' build '))).toHaveLength(3)
    await buildImages({again: true, context, only: 'mlflow'})
    expect((await told()).filter(line => line.includes(' build '))).toHaveLength(4)
  })

  it.each(['docker', 'podman', 'buildah'] as const)(
    'pushes with %s and gives the lines for mlv.yaml, by digest',
    async name => {
      const {context} = await builders([name])
      const result = await buildImages({context, push: 'registry.example.com:5000/team/'})
      expect(formatImages(context, result)).toBe(
        ['mlflow', 'train']
          .map(id => `  ${id}: registry.example.com:5000/team/mlv-${id}@${DIGEST}`)
          .reduce((text, line) => `${text}\n${line}`, 'images:'),
      )
    },
  )

  it('hands over the index of packages with its password in a file, never in an argument', async () => {
    const index = "https://jo:s3cr't@packages.example.com/simple"
    const {context, folder, lines, told} = await builders(['docker'], {
      PIP_INDEX_URL: index,
      HTTPS_PROXY: 'http://jo:s3cret@proxy:3128',
    })
    await buildImages({context, only: 'mlflow'})
    expect(await readFile(join(folder, 'packages'), 'utf8')).toContain(
      `export UV_DEFAULT_INDEX='${index.replace("'", "'\\''")}'\n`,
    )
    const [file = ''] = /(?<=id=packages,src=)\S+/.exec((await told()).join('\n')) ?? []
    await expect(access(file)).rejects.toMatchObject({code: 'ENOENT'})
    expect([...(await told()), ...lines].join('\n')).not.toMatch(/s3cr/)
    expect(await told()).toContainEqual(expect.stringContaining('--build-arg HTTPS_PROXY '))
  })

  it('shows under --dry-run the very commands that it runs otherwise', async () => {
    const {context, lines, told} = await builders(['docker'])
    const {environment, signal} = context
    const dry = {
      ...context,
      dryRun: true,
      exec: createExec({dryRun: true, environment, print: line => lines.push(line), signal}),
    }
    const options = {base: 'python:3.12', buildOptions: ['--network=host'], push: 'registry.example.com/team'}
    await buildImages({context: dry, ...options})
    expect((await told()).filter(line => /docker (build|tag|push)/.test(line))).toEqual([])
    const shown = lines.filter(line => line.startsWith('docker '))
    await buildImages({context, ...options})
    expect((await told()).filter(line => /docker (build|tag|push)/.test(line))).toEqual(shown)
  })

  it('says what to install, why a build failed and where to sign in', async () => {
    const none = await builders([])
    await expect(buildImages({context: none.context})).rejects.toMatchObject({
      code: 'MLV_IMAGE_BUILDER',
      details: ['docker is not on PATH', 'podman is not on PATH', 'buildah is not on PATH'],
    })
    const broken = await builders(['buildah'], {}, ['broken'])
    await expect(buildImages({context: broken.context})).rejects.toMatchObject({
      code: 'MLV_IMAGE_BUILD',
      details: expect.arrayContaining(['ERROR: No matching distribution']),
    })
    const refused = await builders(['podman'], {}, ['refused'])
    await expect(
      buildImages({context: refused.context, only: 'mlflow', push: 'registry.example.com/team'}),
    ).rejects.toMatchObject({code: 'MLV_IMAGE_SIGN_IN', tryThis: ['podman login registry.example.com']})
    await expect(buildImages({context: refused.context, push: 'https://registry.example.com'})).rejects.toMatchObject({
      code: 'MLV_USAGE',
    })
  })
})
