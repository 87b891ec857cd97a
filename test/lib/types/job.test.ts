import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {Ajv2020} from 'ajv/dist/2020.js'
import {describe, expect, it} from 'vitest'

import {jobEventSchema, jobSpecSchema} from '../../../src/lib/types/job.js'

const spec = {
  schema: 'mlv.job/1',
  job: {name: 'digits-amber-x3f2', submission_id: 'nightly 7', kind: 'train', user: 'minji', template: 'digits'},
  resources: {cpus: 1, gpus: 0},
  retries: 2,
  tracking: {uri: 'http://127.0.0.1:5000', experiment_id: '1', experiment_name: 'digits', run_id: '0123'},
  credentials_file: '/project/.mlv/local/credentials/mlv-jobs.json',
  storage: '/project/.mlv/local/data/checkpoints/digits-amber-x3f2',
  work: {type: 'mlvision', config: {epochs: 3, model: {name: 'compact_cnn'}}},
  register: {model: 'digits', alias: 'candidate'},
  python: null,
}
const own = {...spec, job: {...spec.job, template: null}, work: {type: 'command', argv: ['python', 'a b.py', '# "$']}}
const epoch = {
  event: 'epoch',
  epoch: 3,
  epochs: 20,
  seconds: 1.2,
  images_per_second: 900,
  metrics: {train_loss: null, val_accuracy: 0.9},
  best: {epoch: 3, value: 0.9},
}

/** The validator that other languages see: the generated file, read by a JSON schema library. */
const published = (name: string) => {
  const file = fileURLToPath(new URL(`../../../schemas/${name}.schema.json`, import.meta.url))
  return new Ajv2020({strict: false, validateFormats: false}).compile(JSON.parse(readFileSync(file, 'utf8')))
}

const cases = [
  {what: 'a training job', schema: jobSpecSchema, file: 'job', value: spec, isGood: true},
  {what: "a person's own command", schema: jobSpecSchema, file: 'job', value: own, isGood: true},
  {what: 'an unknown key', schema: jobSpecSchema, file: 'job', value: {...spec, password: 'x'}, isGood: false},
  {
    what: 'a job name that is a path',
    schema: jobSpecSchema,
    file: 'job',
    value: {...spec, job: {...spec.job, name: '../x'}},
    isGood: false,
  },
  {
    what: 'a command without a program',
    schema: jobSpecSchema,
    file: 'job',
    value: {...own, work: {type: 'command', argv: []}},
    isGood: false,
  },
  {what: 'an epoch with a diverged loss', schema: jobEventSchema, file: 'event', value: epoch, isGood: true},
  {
    what: 'an event with a word too many',
    schema: jobEventSchema,
    file: 'event',
    value: {...epoch, extra: 1},
    isGood: false,
  },
  {
    what: 'an event of an unknown kind',
    schema: jobEventSchema,
    file: 'event',
    value: {...epoch, event: 'epochs'},
    isGood: false,
  },
] as const

describe('what mlv and its Python package say to each other', () => {
  it.each(cases)('$what is judged alike by zod and by the published schema', ({schema, file, value, isGood}) => {
    expect(schema.safeParse(value).success).toBe(isGood)
    expect(published(file)(value)).toBe(isGood)
  })
})
