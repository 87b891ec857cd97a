import type {Context} from '../../context.js'
import {MlvError} from '../../errors.js'
import {isBucket} from './bucket.js'

/** What this profile asks of a cluster that has to be said before anything is built. */
export function refuseSettings(context: Context): void {
  const {mlflow} = context.profile.settings
  if (mlflow.store !== undefined && !isBucket(mlflow.artifacts))
    throw new MlvError(
      'MLV_SETTINGS_VALUE',
      'On a cluster, several pods of MLflow share no folder: with mlflow.store it needs mlflow.artifacts at s3://….',
      {
        tryThis: [
          'Set `mlflow.artifacts: s3://my-bucket/mlflow` in mlv.yaml.',
          'Or leave out `mlflow.store`: one pod with a volume.',
        ],
      },
    )
  refuseNoImage(context)
}

function refuseNoImage({command, profile, version}: Context): void {
  if (profile.settings.images.mlflow !== undefined) return
  throw new MlvError('MLV_CLUSTER_IMAGE', 'The profile names no image of MLflow (`images.mlflow`).', {
    details: ['It is made by docker/mlflow.Dockerfile of mlv and has to lie where the nodes can pull it.'],
    tryThis: [
      command('images build mlflow --push registry.example.com/team'),
      `Then set \`images.mlflow: registry.example.com/team/mlv-mlflow:${version}\` in mlv.yaml.`,
    ],
  })
}
