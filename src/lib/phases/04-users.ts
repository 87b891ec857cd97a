import {randomBytes} from 'node:crypto'

import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {createMlflowClient} from '../mlflow/client.js'
import {MlflowError} from '../mlflow/mlflow-error.js'
import {Secret} from '../tools/secret.js'
import type {Phase, PhaseState} from '../types/phase.js'
import {JOBS_USER, type MlflowEndpoint, type Target} from '../types/target.js'

// 24 bytes are 32 characters, of letters, digits, - and _ only: they pass through every file and header as they are.
const PASSWORD_BYTES = 24

/** Gives jobs an MLflow user of their own, so that no job ever holds the admin's password. */
export function usersPhase(target: Target): Phase {
  return {
    id: '04-users',
    needs: ['03-mlflow'],
    summary: 'Give jobs an MLflow user of their own',
    status: context => usersState(context, target),
    apply: async context => [
      {
        id: 'save-user',
        title: `Giving ${JOBS_USER} a password`,
        plan: [`Create or repair the MLflow user ${JOBS_USER} with a generated password`],
        run: () => saveUser(context, target),
      },
      {
        id: 'prove-sign-in',
        title: `Proving the sign-in of ${JOBS_USER}`,
        plan: [`Sign in as ${JOBS_USER}; be refused with a wrong password`],
        run: () => proveSignIn(context, target),
      },
    ],
    // The user is a part of MLflow's data: it stays with them and goes with them.
    destroy: async () => [],
  }
}

async function usersState(context: Context, target: Target): Promise<PhaseState> {
  const endpoint = await jobsEndpoint(context, target)
  if (endpoint) {
    const accepted = await isAccepted(context, endpoint)
    return accepted
      ? {kind: 'ready', detail: `${JOBS_USER} signs in`}
      : {kind: 'drifted', why: `MLflow does not accept the password of ${JOBS_USER}`}
  }
  const {users} = await adminClient(context, target)
  return (await users.get(JOBS_USER))
    ? {kind: 'drifted', why: `the password of ${JOBS_USER} is lost`}
    : {kind: 'absent'}
}

/**
 * The password is saved before MLflow learns it: cut off between the two, the next run meets a password that is not
 * accepted and resets it, but never a user whose password nobody has.
 */
async function saveUser(context: Context, target: Target): Promise<void> {
  const {users} = await adminClient(context, target)
  const kept = await target.readCredential(context, JOBS_USER)
  const password = kept?.password ?? new Secret(randomBytes(PASSWORD_BYTES).toString('base64url'))
  if (!kept) await target.saveCredential(context, {username: JOBS_USER, password})
  if (await users.get(JOBS_USER)) await users.setPassword(JOBS_USER, password)
  else await users.create(JOBS_USER, password)
}

async function proveSignIn(context: Context, target: Target): Promise<void> {
  const endpoint = await jobsEndpoint(context, target)
  if (!endpoint || !(await isAccepted(context, endpoint))) {
    throw new MlvError(
      'MLV_USERS_UNPROVEN',
      `MLflow does not let ${JOBS_USER} in with the password that it was given.`,
      {
        tryThis: [context.command('logs mlflow'), context.command('setup --only 04')],
      },
    )
  }
  const wrong = {...endpoint, password: new Secret(randomBytes(PASSWORD_BYTES).toString('base64url'))}
  if (await isAccepted(context, wrong)) {
    throw new MlvError('MLV_USERS_UNPROVEN', `MLflow lets ${JOBS_USER} in with a wrong password.`, {
      tryThis: [context.command('logs mlflow'), context.command('setup --from 03')],
    })
  }
}

async function isAccepted(context: Context, endpoint: MlflowEndpoint): Promise<boolean> {
  try {
    const user = await createMlflowClient(endpoint, context).users.current()
    return user.username === endpoint.username
  } catch (error) {
    if (error instanceof MlflowError && error.status === 401) return false
    throw error
  }
}

async function jobsEndpoint(context: Context, target: Target): Promise<MlflowEndpoint | undefined> {
  const credential = await target.readCredential(context, JOBS_USER)
  if (!credential) return undefined
  const {url} = await endpointOf(context, target)
  return {url, ...credential}
}

async function adminClient(context: Context, target: Target) {
  return createMlflowClient(await endpointOf(context, target), context)
}

async function endpointOf(context: Context, target: Target): Promise<MlflowEndpoint> {
  const connection = target.connect(context)
  try {
    return await connection.mlflow()
  } finally {
    await connection.close()
  }
}
