import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import type {ServiceName, Target} from '../types/target.js'

export interface ServiceAddress {
  readonly name: ServiceName
  /** Null when it does not answer; `why` says what is the case. */
  readonly url: string | null
  readonly why: string | null
  /** As whom people sign in, and where they read the password; null where nobody signs in. */
  readonly sign_in: {readonly username: string; readonly password_file: string | null} | null
}

/** Where the profile's services answer right now. */
export async function serviceAddresses(context: Context, target: Target): Promise<readonly ServiceAddress[]> {
  const connection = target.connect(context)
  const address = async (name: ServiceName): Promise<ServiceAddress> => {
    try {
      const endpoint = await connection[name]()
      const person = 'username' in endpoint ? endpoint : undefined
      const signIn = person ? {username: person.username, password_file: person.passwordFile ?? null} : null
      return {name, url: endpoint.url, why: null, sign_in: signIn}
    } catch (error) {
      if (error instanceof MlvError && !context.signal.aborted)
        // In a list that names the service and the profile already.
        return {name, url: null, why: error.code === 'MLV_NOT_RUNNING' ? 'not running' : error.message, sign_in: null}
      throw error
    }
  }
  try {
    return await Promise.all([address('mlflow'), address('ray')])
  } finally {
    await connection.close()
  }
}
