import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'

import {BaseCommand} from '../../lib/cli/base-command.js'
import {buildImages, formatImages, type ImagesResult} from '../../lib/images/build-images.js'
import {type BuilderName, builderNames} from '../../lib/images/builder.js'
import {type ImageId, imageIds} from '../../lib/images/image.js'

export default class ImagesBuild extends BaseCommand {
  static override summary = 'Build the images that a cluster runs, and push them.'

  static override description = `From the same locks as the local environment, by docker, podman or buildah. Their names
tell what they are made of: what has not changed is not built again.`

  static override examples = [
    {command: '<%= config.bin %> <%= command.id %>', description: 'Both, to look at.'},
    {
      command: '<%= config.bin %> <%= command.id %> --push registry.example.com/team',
      description: 'Both, to where a cluster fetches them; prints the lines for mlv.yaml.',
    },
  ]

  static override args = {
    image: Args.custom<ImageId>({options: [...imageIds]})({description: 'Only this one.'}),
  }

  static override flags = {
    again: Flags.boolean({env: 'MLV_AGAIN', summary: 'Build what is there already too, on a newer base image say.'}),
    base: Flags.string({
      env: 'MLV_IMAGE_BASE',
      helpValue: '<image>',
      summary: 'Build on this image, which has Python 3.10 to 3.13, instead of python:3.11-slim-bookworm.',
    }),
    'build-option': Flags.string({
      env: 'MLV_BUILD_OPTION',
      helpValue: '<option>',
      multiple: true,
      multipleNonGreedy: true,
      summary: 'Give the builder this option as well, such as --build-option=--network=host.',
    }),
    builder: Flags.custom<BuilderName>({options: [...builderNames]})({
      env: 'MLV_BUILDER',
      summary: 'Build with this program; the first on PATH that answers by default.',
    }),
    'dry-run': Flags.boolean({
      char: 'n',
      env: 'MLV_DRY_RUN',
      summary: 'Show the commands that would run; change nothing.',
    }),
    push: Flags.string({
      env: 'MLV_PUSH',
      helpValue: '<repository>',
      summary: 'Push them there, such as registry.example.com/team.',
    }),
    'torch-index': Flags.string({
      env: 'MLV_TORCH_INDEX',
      helpValue: '<url>',
      summary: 'Take PyTorch from this index; by default as python.torch of the profile says.',
    }),
  }

  async run(): Promise<ImagesResult> {
    const {args, flags} = await this.parse(ImagesBuild)
    const context = await this.context(flags)
    const result = await buildImages({
      again: flags.again,
      base: flags.base,
      builder: flags.builder,
      buildOptions: flags['build-option'] ?? [],
      context,
      only: args.image,
      push: flags.push,
      torchIndex: flags['torch-index'],
    })
    if (!context.dryRun) context.reporter.result(formatImages(context, result))
    return result
  }
}
