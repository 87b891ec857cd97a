/**
 * Every way in which mlv can end badly: its exit code and what it means. The one table of both;
 * docs/errors.md and docs/exit-codes.md are generated from here.
 */

import {clusterErrorCodes} from './cluster-error-codes.js'
import {type ErrorCodeInfo, exitCodes} from './exit-codes.js'
import {jobErrorCodes} from './job-error-codes.js'

export const errorCodes = {
  MLV_USAGE: {
    exit: exitCodes.usage,
    meaning: 'The command line does not have the form that the command takes.',
    remedies: ['Add `--help` to the command to see what it takes.'],
  },
  MLV_USAGE_COMMAND: {
    exit: exitCodes.usage,
    meaning: 'There is no command of that name.',
    remedies: ['`mlv --help` lists the commands.'],
  },
  MLV_USAGE_NO_TERMINAL: {
    exit: exitCodes.usage,
    meaning: 'A question would have to be asked, but there is no terminal; a flag gives the answer.',
    remedies: ['Give the flag that the message names, or `--yes`.'],
  },
  MLV_SETTINGS_FILE: {exit: exitCodes.usage, meaning: 'A file of settings cannot be read or is no YAML.'},
  MLV_SETTINGS_SYNTAX: {exit: exitCodes.usage, meaning: 'mlv.yaml is no YAML that mlv can read; the place is named.'},
  MLV_SETTINGS_KEY: {exit: exitCodes.usage, meaning: 'A file of settings has a key that mlv does not know.'},
  MLV_SETTINGS_VALUE: {
    exit: exitCodes.usage,
    meaning: 'A setting has a value of the wrong type or out of its range.',
  },
  MLV_SETTINGS_PASSWORD: {
    exit: exitCodes.usage,
    meaning: 'An address among the settings holds a password, which belongs into the environment or a 0600 file.',
  },
  MLV_SETTINGS_EXIST: {exit: exitCodes.usage, meaning: 'There is a mlv.yaml already; mlv does not write over it.'},
  MLV_SETTING_FLAG: {exit: exitCodes.usage, meaning: '--setting names a setting that does not exist.'},
  MLV_PROFILE_UNKNOWN: {exit: exitCodes.usage, meaning: 'The profile that was named is not in mlv.yaml.'},
  MLV_TEMPLATE_UNKNOWN: {exit: exitCodes.usage, meaning: 'There is no template of that name.'},
  MLV_TEMPLATE_INVALID: {exit: exitCodes.usage, meaning: 'A template.yaml is wrong; the place is named.'},
  MLV_TEMPLATE_EXISTS: {exit: exitCodes.usage, meaning: 'A folder of that template is there already.'},
  MLV_PARAMETER_UNKNOWN: {exit: exitCodes.usage, meaning: 'The template has no parameter of that name.'},
  MLV_PARAMETER_VALUE: {
    exit: exitCodes.usage,
    meaning: 'A parameter has a value of the wrong type, out of its range or not among its choices.',
  },
  MLV_PARAMETER_FILE: {exit: exitCodes.usage, meaning: 'A file of parameters (-f) cannot be read or holds none.'},
  MLV_PARAMETER_FORM: {exit: exitCodes.usage, meaning: '--set does not have the form NAME=VALUE.'},
  MLV_TOOL_MISSING: {
    exit: exitCodes.failed,
    meaning: 'A program that mlv runs is not on PATH.',
    remedies: ['`mlv doctor` says what is missing and how to install it.'],
  },
  MLV_TOOL_FAILED: {
    exit: exitCodes.failed,
    meaning: 'A program that mlv ran ended with an error.',
    remedies: ['`mlv doctor` looks at the machine.', '`mlv support dump` collects what somebody else needs to help.'],
  },
  MLV_TOOL_TIMEOUT: {exit: exitCodes.failed, meaning: 'A program that mlv ran did not end in its time.'},
  MLV_DISK_FULL: {
    exit: exitCodes.failed,
    meaning: 'The disk has no room left.',
    remedies: [
      'Make room on the disk that the message names, then run the command again; nothing is lost.',
      '`mlv doctor` shows the free space.',
    ],
  },
  MLV_FOLDER_READ_ONLY: {
    exit: exitCodes.failed,
    meaning: 'A folder that mlv has to write in cannot be written.',
    remedies: ['Change to a folder that you can write in.', '`mlv doctor` looks at the folders of mlv.'],
  },
  MLV_MLFLOW_UNREACHABLE: {
    exit: exitCodes.failed,
    meaning: 'The MLflow server gives no answer.',
    remedies: [
      '`mlv status` shows what runs.',
      '`mlv setup` starts what is missing.',
      '`mlv logs mlflow` shows what the server says.',
    ],
  },
  MLV_MLFLOW_SIGN_IN: {
    exit: exitCodes.failed,
    meaning: 'MLflow does not accept the name and password of the profile.',
    remedies: ['`mlv setup --from 04` makes the users anew.'],
  },
  MLV_MLFLOW_HOST: {
    exit: exitCodes.failed,
    meaning: 'MLflow refuses the host name that it is called by.',
    remedies: ['`mlv setup --from 03` starts MLflow with the names that it is called by.'],
  },
  MLV_MLFLOW_DENIED: {exit: exitCodes.failed, meaning: 'The MLflow user lacks the permission that the request takes.'},
  MLV_MLFLOW_NOT_FOUND: {exit: exitCodes.failed, meaning: 'MLflow has no experiment, run, model or file of that name.'},
  MLV_MLFLOW_REFUSED: {
    exit: exitCodes.failed,
    meaning: 'MLflow answered a request with an error.',
    remedies: ['`mlv logs mlflow` shows what the server says.'],
  },
  MLV_MLFLOW_EXPERIMENT_DELETED: {exit: exitCodes.failed, meaning: 'The experiment was deleted in MLflow.'},
  MLV_MLFLOW_ARTIFACTS: {
    exit: exitCodes.failed,
    meaning: 'The artifacts of an experiment are kept at an address that MLflow does not serve.',
  },
  MLV_VERIFY_FAILED: {
    exit: exitCodes.verifyFailed,
    meaning: 'A canary of `mlv verify` did not find what it must find.',
    remedies: ['`mlv setup` repairs what has changed.', '`mlv doctor` looks at the machine.'],
  },
  MLV_VERIFY_CANARY: {
    exit: exitCodes.verifyFailed,
    meaning: 'The platform answered a canary otherwise than it must.',
    remedies: ['`mlv setup` repairs what has changed.', '`mlv doctor` looks at the machine.'],
  },
  MLV_QUICKSTART_ACCURACY: {
    exit: exitCodes.failed,
    meaning: 'The quickstart trained a model whose test accuracy is below 97 %.',
    remedies: ['`mlv quickstart --again` trains once more.'],
  },
  MLV_USAGE_PHASE: {exit: exitCodes.usage, meaning: 'There is no phase of that name or number for this target.'},
  MLV_USAGE_CONFIRM: {
    exit: exitCodes.usage,
    meaning: "Data would be removed, but the profile's name was not given to confirm it.",
  },
  MLV_LOCKED: {
    exit: exitCodes.locked,
    meaning: 'Somebody else is changing this profile right now.',
    remedies: [
      'Wait until the one that the message names is done, or end it.',
      '`mlv status` shows what was in flight.',
    ],
  },
  MLV_PHASE_NEEDS: {
    exit: exitCodes.failed,
    meaning: 'A phase was asked for alone, but what it needs is not there.',
    remedies: ['`mlv setup` builds everything in its order.'],
  },
  MLV_PHASE_UNPROVEN: {
    exit: exitCodes.failed,
    meaning: 'A phase ran to its end, but does not prove to work.',
    remedies: ['`mlv setup` tries again and goes on from there.'],
  },
  MLV_USERS_UNPROVEN: {
    exit: exitCodes.failed,
    meaning: 'MLflow lets a user in who must not come in, or does not let one in who must.',
  },
  MLV_TEARDOWN_LEFTOVERS: {
    exit: exitCodes.leftovers,
    meaning: 'Teardown could not remove something that nobody asked to keep.',
  },
  MLV_OPEN_UNKNOWN: {exit: exitCodes.usage, meaning: 'There is no page of that name to open.'},
  MLV_RAY_UNREACHABLE: {exit: exitCodes.failed, meaning: 'Ray gives no answer.'},
  MLV_RAY_SIGN_IN: {exit: exitCodes.failed, meaning: 'Ray does not accept the token of the profile.'},
  MLV_RAY_REFUSED: {exit: exitCodes.failed, meaning: 'Ray answered a request with an error.'},
  ...jobErrorCodes,
  ...clusterErrorCodes,
  MLV_PORT_TAKEN: {
    exit: exitCodes.failed,
    meaning: 'A port that the profile fixes is taken by another program.',
    remedies: ['End the process that the message names, or set another port in mlv.yaml.'],
  },
  MLV_PYTHON_MISSING: {exit: exitCodes.failed, meaning: 'No Python 3.10 to 3.13 that can be used is on PATH.'},
  MLV_PYTHON_BROKEN: {exit: exitCodes.failed, meaning: 'The Python that was chosen lacks something or does not start.'},
  MLV_NO_NETWORK: {exit: exitCodes.failed, meaning: 'The package index cannot be reached or lacks a package.'},
  MLV_SERVICE_START: {
    exit: exitCodes.failed,
    meaning: 'MLflow or Ray ended, or did not answer, after its start.',
    remedies: ['`mlv logs mlflow` or `mlv logs ray` shows why.', '`mlv doctor` looks at the machine.'],
  },
  MLV_STORE: {exit: exitCodes.failed, meaning: 'The database of the profile cannot be used as it is.'},
  MLV_STORE_ADMIN: {
    exit: exitCodes.failed,
    meaning: 'The database of sign-ins has an admin whose password the profile does not know.',
  },
  MLV_STORE_MISSING: {exit: exitCodes.failed, meaning: 'The server of the profile has no database of that name.'},
  MLV_STORE_PASSWORD_FILE: {
    exit: exitCodes.failed,
    meaning: "The file of the store's password cannot be read, or others may read it.",
  },
  MLV_STORE_SIGN_IN: {exit: exitCodes.failed, meaning: 'The database does not accept the name and password.'},
  MLV_STORE_UNREACHABLE: {exit: exitCodes.failed, meaning: 'The database of the profile gives no answer.'},
  MLV_BUCKET: {exit: exitCodes.failed, meaning: 'An S3 address of the profile cannot be used as it is.'},
  MLV_BUCKET_MISSING: {exit: exitCodes.failed, meaning: 'There is no bucket of that name.'},
  MLV_BUCKET_SIGN_IN: {exit: exitCodes.failed, meaning: 'The bucket does not let the profile write.'},
  MLV_BUCKET_UNREACHABLE: {exit: exitCodes.failed, meaning: 'The S3 address of the profile gives no answer.'},
  MLV_NOT_RUNNING: {
    exit: exitCodes.failed,
    meaning: 'MLflow or Ray of the profile is not running.',
    remedies: ['`mlv setup` starts what is missing.', '`mlv status` shows what there is.'],
  },
  MLV_IMAGE_BUILDER: {
    exit: exitCodes.failed,
    meaning: 'Neither docker, podman nor buildah can be used to build images.',
    remedies: ['Install one of them, or start Docker.'],
  },
  MLV_IMAGE_BUILD: {exit: exitCodes.failed, meaning: 'The builder could not make an image; its last lines say why.'},
  MLV_IMAGE_PUSH: {exit: exitCodes.failed, meaning: 'An image could not be sent to the registry.'},
  MLV_IMAGE_SIGN_IN: {
    exit: exitCodes.failed,
    meaning: 'The registry does not take images from you.',
    remedies: [
      'Sign in with the builder: `docker login`, `podman login` or `buildah login`, and the name of the registry.',
    ],
  },
  MLV_INTERRUPTED: {exit: exitCodes.interrupted, meaning: 'The command was interrupted (Ctrl-C).'},
  MLV_TERMINATED: {exit: exitCodes.terminated, meaning: 'The command was asked to end (SIGTERM).'},
  MLV_BUG: {
    exit: exitCodes.bug,
    meaning: 'Something happened that mlv does not expect: a bug.',
    remedies: ['`mlv support dump` writes what a bug report needs, without secrets.'],
  },
} as const satisfies Record<`MLV_${string}`, ErrorCodeInfo>

export type ErrorCode = keyof typeof errorCodes
