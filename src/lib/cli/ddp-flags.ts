import * as Flags from '@oclif/core/flags'

import {trainFlags} from './train-flags.js'

const {cpus: _cpus, gpus: _gpus, ...common} = trainFlags

/** What a training on several processes can be asked for. */
export const ddpFlags = {
  processes: Flags.string({
    char: 'j',
    env: 'MLV_PROCESSES',
    helpGroup: 'PROCESSES',
    helpValue: '<nodes>x<procs>',
    summary: "How many nodes, and processes on each; the template's by default.",
  }),
  'cpus-per-worker': Flags.string({
    env: 'MLV_CPUS_PER_WORKER',
    helpGroup: 'PROCESSES',
    helpValue: '<n>',
    summary: 'CPUs of each process; 0.5 is possible.',
  }),
  'gpus-per-worker': Flags.string({
    env: 'MLV_GPUS_PER_WORKER',
    helpGroup: 'PROCESSES',
    helpValue: '<n>',
    summary: 'GPUs of each process.',
  }),
  elastic: Flags.boolean({
    env: 'MLV_ELASTIC',
    helpGroup: 'PROCESSES',
    summary: 'Go on with those that are left when a process is lost.',
  }),
  preflight: Flags.boolean({
    env: 'MLV_PREFLIGHT',
    helpGroup: 'PROCESSES',
    summary: 'Try first whether each process computes, reaches the others, and is not slow.',
  }),
  scaling: Flags.string({
    env: 'MLV_SCALING',
    exclusive: ['processes', 'elastic', 'register'],
    helpGroup: 'PROCESSES',
    helpValue: '<n,n,...>',
    summary: 'Train the same at each number of processes in turn, and compare.',
  }),
  'hourly-price': Flags.string({
    dependsOn: ['scaling'],
    env: 'MLV_HOURLY_PRICE',
    helpGroup: 'PROCESSES',
    helpValue: '<price>',
    summary: "What one process's share of a machine costs an hour.",
  }),
  ...common,
}
