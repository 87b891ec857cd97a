import type {Context} from '../context.js'
import {MlvError} from '../errors.js'

/** Data go only when the profile's name was given: by `--confirm`, or typed where there is somebody to type it. */
export async function confirmName(context: Context, confirm: string | undefined): Promise<void> {
  const {name} = context.profile
  if (confirm === name) return
  const tryThis = [context.command(`teardown --delete-data --confirm ${name}`), context.command('teardown')]
  if (confirm !== undefined) {
    throw new MlvError('MLV_USAGE_CONFIRM', `--confirm ${confirm} is not the name of this profile (${name}).`, {
      tryThis,
    })
  }
  const {askText, canAsk} = await import('../ui/prompts.js')
  if (!canAsk(context)) {
    throw new MlvError('MLV_USAGE_CONFIRM', `Removing the data of ${name} has to be confirmed by its name.`, {tryThis})
  }
  context.reporter.note(`This removes everything in ${context.stateDir}: all runs, models, artifacts and checkpoints.`)
  const typed = await askText(context, {
    flag: '--confirm',
    instead: `teardown --delete-data --confirm ${name}`,
    message: 'Name of the profile whose data go:',
  })
  if (typed.trim() !== name) throw new MlvError('MLV_INTERRUPTED', 'Nothing was changed.')
}
