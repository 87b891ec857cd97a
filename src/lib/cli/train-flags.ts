import * as Flags from '@oclif/core/flags'

import {isolations} from '../types/job.js'

/** What a training job can be asked for. */
export const trainFlags = {
  file: Flags.string({
    char: 'f',
    env: 'MLV_FILE',
    helpGroup: 'JOB',
    helpValue: '<file>',
    summary: 'Read parameters from a YAML or JSON file.',
  }),
  name: Flags.string({
    char: 'n',
    env: 'MLV_NAME',
    helpGroup: 'JOB',
    helpValue: '<name>',
    summary: 'Name the job; made up by default.',
  }),
  model: Flags.string({env: 'MLV_MODEL', helpGroup: 'JOB', helpValue: '<model>', summary: 'The model to train.'}),
  dataset: Flags.string({
    env: 'MLV_DATASET',
    helpGroup: 'JOB',
    helpValue: '<dataset>',
    summary: 'The data set to train on.',
  }),
  epochs: Flags.string({
    env: 'MLV_EPOCHS',
    helpGroup: 'JOB',
    helpValue: '<n>',
    summary: 'How often each image is seen.',
  }),
  set: Flags.string({
    env: 'MLV_SET',
    helpGroup: 'JOB',
    helpValue: '<name=value>',
    multiple: true,
    multipleNonGreedy: true,
    summary: 'Set a parameter of the template.',
  }),
  cpus: Flags.integer({
    env: 'MLV_CPUS',
    helpGroup: 'JOB',
    helpValue: '<n>',
    min: 1,
    summary: 'CPUs that the job gets.',
  }),
  gpus: Flags.integer({
    env: 'MLV_GPUS',
    helpGroup: 'JOB',
    helpValue: '<n>',
    min: 0,
    summary: 'GPUs that the job gets.',
  }),
  register: Flags.string({
    env: 'MLV_REGISTER',
    helpGroup: 'JOB',
    helpValue: '<model>',
    summary: 'Register the model under this name, with the alias candidate.',
  }),
  experiment: Flags.string({
    env: 'MLV_EXPERIMENT',
    helpGroup: 'JOB',
    helpValue: '<name>',
    summary: "The MLflow experiment; the template's name by default.",
  }),
  isolation: Flags.option({options: isolations})({
    env: 'MLV_ISOLATION',
    helpGroup: 'JOB',
    summary: "On a cluster: the Ray of all jobs, or one for this job alone; the template's by default.",
  }),
  'idempotency-key': Flags.string({
    env: 'MLV_IDEMPOTENCY_KEY',
    helpGroup: 'JOB',
    helpValue: '<key>',
    summary: 'Submit once for this key, however often it is tried.',
  }),
  detach: Flags.boolean({
    char: 'd',
    env: 'MLV_DETACH',
    exclusive: ['wait'],
    helpGroup: 'OUTPUT',
    summary: 'Return as soon as the job is submitted.',
  }),
  wait: Flags.integer({
    env: 'MLV_WAIT',
    helpGroup: 'OUTPUT',
    helpValue: '<seconds>',
    min: 1,
    summary: 'Follow at most so long.',
  }),
  'dry-run': Flags.boolean({
    env: 'MLV_DRY_RUN',
    helpGroup: 'OUTPUT',
    summary: 'Show exactly what would be sent; send nothing.',
  }),
}
