import * as Flags from '@oclif/core/flags'

import {MlvError} from '../errors.js'
import {algorithms, presets, schedulers} from '../types/search.js'
import {trainFlags} from './train-flags.js'

/** What a sweep can be asked for beside what a training can. */
export const tuneFlags = {
  trials: Flags.integer({
    env: 'MLV_TRIALS',
    helpGroup: 'SEARCH',
    helpValue: '<n>',
    min: 1,
    summary: 'How many trials.',
  }),
  algorithm: Flags.option({options: algorithms})({
    env: 'MLV_ALGORITHM',
    helpGroup: 'SEARCH',
    summary: 'How parameters are chosen; tpe is Bayesian.',
  }),
  scheduler: Flags.option({options: schedulers})({
    env: 'MLV_SCHEDULER',
    helpGroup: 'SEARCH',
    summary: 'Which trials are stopped early.',
  }),
  preset: Flags.option({options: presets})({
    env: 'MLV_PRESET',
    helpGroup: 'SEARCH',
    summary: "The template's own idea of a short or a long search.",
  }),
  concurrency: Flags.integer({
    env: 'MLV_CONCURRENCY',
    helpGroup: 'SEARCH',
    helpValue: '<n>',
    min: 1,
    summary: 'Trials at a time; as many as there is room for by default.',
  }),
  'max-time': Flags.custom<number>({parse: async text => seconds(text)})({
    env: 'MLV_MAX_TIME',
    helpGroup: 'SEARCH',
    helpValue: '<90s|30m|2h>',
    summary: 'No trial goes on after so long.',
  }),
  'max-failures': Flags.integer({
    env: 'MLV_MAX_FAILURES',
    helpGroup: 'SEARCH',
    helpValue: '<n>',
    min: 1,
    summary: 'End after so many failed trials; never by default.',
  }),
  metric: Flags.string({
    env: 'MLV_METRIC',
    helpGroup: 'SEARCH',
    helpValue: '<name>',
    summary: 'What trials are judged by.',
  }),
  mode: Flags.option({options: ['max', 'min'] as const})({
    env: 'MLV_MODE',
    helpGroup: 'SEARCH',
    summary: 'Whether a higher or a lower value is better.',
  }),
  'retrain-best': Flags.boolean({
    env: 'MLV_RETRAIN_BEST',
    helpGroup: 'SEARCH',
    summary: 'Train the best anew on the full budget.',
  }),
  ...trainFlags,
  'dry-run': Flags.boolean({
    env: 'MLV_DRY_RUN',
    helpGroup: 'OUTPUT',
    summary: 'Say how many trials of what length, and how long; one epoch is measured.',
  }),
  'hourly-price': Flags.custom<number>({parse: async text => price(text)})({
    env: 'MLV_HOURLY_PRICE',
    helpGroup: 'OUTPUT',
    helpValue: '<price>',
    summary: "For --dry-run: what one trial's share of a machine costs an hour, in US dollars.",
  }),
  cpus: Flags.integer({
    env: 'MLV_CPUS',
    helpGroup: 'JOB',
    helpValue: '<n>',
    min: 1,
    summary: 'CPUs that each trial gets.',
  }),
  gpus: Flags.custom<number>({parse: async text => gpus(text)})({
    env: 'MLV_GPUS',
    helpGroup: 'JOB',
    helpValue: '<n>',
    summary: 'GPUs that each trial gets; 0.25 lets four share one.',
  }),
  register: Flags.string({
    env: 'MLV_REGISTER',
    helpGroup: 'JOB',
    helpValue: '<model>',
    summary: 'Register the best under this name, with the alias challenger.',
  }),
}

function seconds(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? []
  const value = Number(number) * {s: 1, m: 60, h: 3600, '': 1}[unit as 's']
  if (value > 0) return value
  throw new MlvError(
    'MLV_SWEEP_DURATION',
    `--max-time is ${JSON.stringify(text)}; it takes a time such as 90s, 30m or 2h.`,
    {
      tryThis: ['Use --max-time 30m'],
    },
  )
}

function price(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new MlvError('MLV_USAGE', `--hourly-price is ${JSON.stringify(text)}; it takes a number such as 0.53.`, {
    tryThis: ['Use --hourly-price 0.53'],
  })
}

/** Ray divides a GPU, but gives several only whole. */
function gpus(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (value >= 0 && (value < 1 || Number.isInteger(value))) return value
  throw new MlvError(
    'MLV_USAGE',
    `--gpus is ${JSON.stringify(text)}; it takes a whole number or a part of one, such as 0.25.`,
    {
      tryThis: ['Use --gpus 0.25'],
    },
  )
}
