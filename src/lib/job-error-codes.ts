import {type ErrorCodeInfo, exitCodes} from './exit-codes.js'

/** The part of the error codes that is about jobs, sweeps and what they bring along. */
export const jobErrorCodes = {
  MLV_JOB_NAME: {
    exit: exitCodes.usage,
    meaning: 'A job name has characters that Ray, MLflow or a folder would change.',
  },
  MLV_JOB_COMMAND: {exit: exitCodes.usage, meaning: 'A template and a command were given together, or neither fits.'},
  MLV_JOB_EXISTS: {exit: exitCodes.failed, meaning: 'There is a job of that name already.'},
  MLV_JOB_UNKNOWN: {exit: exitCodes.failed, meaning: 'There is no job of that name in this profile.'},
  MLV_JOB_TOO_BIG: {exit: exitCodes.failed, meaning: 'The job asks for more than any machine of the profile has.'},
  MLV_JOB_FAILED: {
    exit: exitCodes.jobFailed,
    meaning: 'The job ran and failed.',
    remedies: ['`mlv jobs logs` shows its output.', '`mlv jobs rerun` runs it again as it was.'],
  },
  MLV_JOB_STOPPED: {
    exit: exitCodes.jobStopped,
    meaning: 'The job was stopped.',
    remedies: ['`mlv jobs rerun` runs it again as it was.'],
  },
  MLV_JOB_STILL_RUNNING: {exit: exitCodes.stillRunning, meaning: 'The wait ran out while the job goes on.'},
  MLV_JOB_NOT_STARTED: {
    exit: exitCodes.stillRunning,
    meaning: 'Ray has not started the job in the time that was given.',
  },
  MLV_JOB_OUT_OF_SIGHT: {
    exit: exitCodes.stillRunning,
    meaning: 'Ray has stopped answering while a job was followed, so it cannot be seen whether the job goes on.',
    remedies: ['`mlv status` shows what runs.', '`mlv setup` starts what is missing; then `mlv jobs wait`.'],
  },
  MLV_JOB_NO_CODE: {exit: exitCodes.failed, meaning: 'The code of a job was not saved with its run.'},
  MLV_JOB_STORAGE: {
    exit: exitCodes.usage,
    meaning: 'A job of several machines needs a place for checkpoints that all of them reach; the profile has none.',
    remedies: ['Set `storage:` in mlv.yaml to an s3:// address, or to claim://NAME (a ReadWriteMany claim).'],
  },
  MLV_DDP_FORM: {exit: exitCodes.usage, meaning: 'The processes of a training are not given as NODESxPROCS.'},
  MLV_SWEEP_PRESET: {exit: exitCodes.usage, meaning: 'The template has no such preset.'},
  MLV_SWEEP_SPACE: {exit: exitCodes.usage, meaning: 'A search space is empty, or not the one that a sweep began with.'},
  MLV_SWEEP_UNKNOWN: {exit: exitCodes.usage, meaning: 'The job is no sweep, so it cannot be resumed as one.'},
  MLV_SWEEP_RUNNING: {exit: exitCodes.failed, meaning: 'A sweep that is to be resumed is still running.'},
  MLV_SWEEP_MEASURE: {exit: exitCodes.failed, meaning: 'An epoch of a sweep could not be measured.'},
  MLV_SWEEP_DURATION: {exit: exitCodes.usage, meaning: 'A time is not a number with s, m or h.'},
  MLV_UPLOAD_TOO_BIG: {exit: exitCodes.failed, meaning: 'The folder holds more than a job may bring along.'},
  MLV_UPLOAD_LEFT_OUT: {exit: exitCodes.failed, meaning: 'The command names a file that an ignore rule leaves out.'},
} as const satisfies Record<`MLV_${string}`, ErrorCodeInfo>
