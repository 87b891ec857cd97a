import type {Context} from '../context.js'
import {MlvError, ToolError} from '../errors.js'
import type {Task} from '../ui/reporter.js'
import {type BuilderName, findBuilder, type ImageBuilder} from './builder.js'
import {describeImage, type Image, type ImageChoices, type ImageId, imageIds} from './image.js'
import {withPackageIndex} from './package-index.js'

export interface BuildImagesOptions extends ImageChoices {
  readonly context: Context
  /** All where none is named. */
  readonly only?: ImageId | undefined
  readonly builder?: BuilderName | undefined
  /** Further options for the builder, as they are. */
  readonly buildOptions?: readonly string[]
  /** `registry.example.com/team`: where the images are sent as well. */
  readonly push?: string | undefined
  /** Builds what is there already too. */
  readonly again?: boolean
}

export interface BuiltImage {
  readonly image: ImageId
  readonly name: string
  /** False where the builder had it already. */
  readonly built: boolean
  /** What a profile names it by once it was pushed: repository and digest. */
  readonly reference?: string
}

export interface ImagesResult {
  readonly builder: BuilderName
  readonly images: readonly BuiltImage[]
}

const LINES_KEPT = 20

export async function buildImages(options: BuildImagesOptions): Promise<ImagesResult> {
  const {context, only, push, torchIndex = torchIndexOf(context)} = options
  const repository = push === undefined ? undefined : checkRepository(push)
  const builder = await findBuilder(context, options.builder)
  const wanted = imageIds.filter(id => only === undefined || id === only)
  const images = await Promise.all(wanted.map(id => describeImage(context, id, {...options, torchIndex})))
  const board = context.reporter.tasks()
  const tasks = images.map(({name}) => board.add(name))
  const done: BuiltImage[] = []
  try {
    for (const [at, image] of images.entries()) {
      const task = tasks[at] as Task
      task.start()
      try {
        const built = await build(options, builder, image, task)
        const reference = repository === undefined ? undefined : await send(context, builder, image, repository, task)
        done.push({image: image.id, name: image.name, built, ...(reference && {reference})})
        const how = context.dryRun ? 'would be built' : 'built'
        task.succeed(`${built ? how : 'there already'}${reference ? ', pushed' : ''} (${builder.name})`)
      } catch (error) {
        task.fail(error instanceof MlvError ? error.message : 'failed')
        throw error
      }
    }
  } finally {
    await board.close()
  }
  return {builder: builder.name, images: done}
}

/** The lines of mlv.yaml that make a profile use the images. */
export function formatImages(context: Pick<Context, 'command'>, {images}: ImagesResult): string {
  const pushed = images.filter(({reference}) => reference !== undefined)
  if (pushed.length === 0)
    return [
      ...images.map(({name}) => name),
      '',
      'Where a cluster can fetch them:',
      `  ${context.command('images build --push registry.example.com/team')}`,
    ].join('\n')
  return ['images:', ...pushed.map(({image, reference}) => `  ${image}: ${reference}`)].join('\n')
}

/** The profile's build of PyTorch; that of the machine (`auto`) says nothing about the cluster's. */
function torchIndexOf({profile}: Context): string | undefined {
  const {torch} = profile.settings.python
  return torch === 'auto' ? undefined : `https://download.pytorch.org/whl/${torch}`
}

function checkRepository(text: string): string {
  const repository = text.replace(/\/+$/, '')
  if (/^[a-z0-9][a-z0-9.-]*(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(repository)) return repository
  throw new MlvError(
    'MLV_USAGE',
    `${text} is no place for images: a registry and a path in small letters, no scheme, no tag.`,
    {
      tryThis: ['--push registry.example.com/team'],
    },
  )
}

async function build(options: BuildImagesOptions, builder: ImageBuilder, image: Image, task: Task): Promise<boolean> {
  const {again = false, buildOptions = [], context} = options
  if (!again && (await builder.has(image.name))) return false
  const tail: string[] = []
  const args = [
    '--file',
    image.dockerfile,
    '--tag',
    image.name,
    ...image.buildArgs.flatMap(arg => ['--build-arg', arg]),
  ]
  try {
    await withPackageIndex(context, index =>
      builder.build([...args, ...index, ...buildOptions, context.packageDir], {
        onLine: line => {
          if (line.trim() === '') return
          task.update(line.trim())
          tail.push(line)
          if (tail.length > LINES_KEPT) tail.shift()
        },
      }),
    )
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    const isFull = tail.some(line => /no space left on device/i.test(line))
    throw new MlvError(isFull ? 'MLV_DISK_FULL' : 'MLV_IMAGE_BUILD', `${builder.name} cannot build ${image.name}.`, {
      cause: error,
      details: tail,
      tryThis: isFull
        ? ['df -h', `${builder.name} ${builder.name === 'buildah' ? 'rmi --prune' : 'system prune'}`]
        : [
            context.command(`images build ${image.id} --dry-run`),
            'Behind a proxy or with an index of your own: set HTTPS_PROXY or UV_DEFAULT_INDEX.',
          ],
    })
  }
  return true
}

async function send(
  context: Context,
  builder: ImageBuilder,
  {name}: Image,
  repository: string,
  task: Task,
): Promise<string | undefined> {
  const as = `${repository}/${name}`
  task.stage(`pushing ${as}`)
  try {
    const digest = await builder.push(name, as, {onLine: line => task.update(line.trim())})
    return digest === undefined ? undefined : `${as.slice(0, as.lastIndexOf(':'))}@${digest}`
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    const isRefused = /unauthorized|denied|authentication required|no basic auth|forbidden/i.test(error.stderr)
    const [registry = ''] = repository.split('/')
    throw new MlvError(
      isRefused ? 'MLV_IMAGE_SIGN_IN' : 'MLV_IMAGE_PUSH',
      isRefused ? `${registry} does not take images from you.` : `${builder.name} cannot push ${as}.`,
      {
        cause: error,
        details: error.details.slice(-6),
        tryThis: isRefused
          ? [`${builder.name} login ${registry}`]
          : [context.command(`images build --push ${repository} --dry-run`)],
      },
    )
  }
}
