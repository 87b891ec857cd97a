import {MlvError} from '../errors.js'

/** How the password of `mlflow.store` is given, since mlv.yaml is committed and variables of settings are shown. */
export const passwordAdvice = [
  'Leave the password out of the address and give it as MLV_MLFLOW_STORE_PASSWORD, in the environment or in .env.local.',
  'Or put it into a file that only you can read (mode 0600) and name the file in MLV_MLFLOW_STORE_PASSWORD_FILE.',
] as const

/** Whether an address carries a password, before its host or among its parameters. */
export function storeHoldsPassword(address: unknown): boolean {
  if (typeof address !== 'string') return false
  return /:\/\/[^/@]*:[^/]*@/.test(address) || /[?&](ssl)?password=/i.test(address)
}

/** Throws when a setting holds a password; the message never shows it. */
export function refusePassword(name: string, value: unknown, where: string): void {
  if (name === 'mlflow.store' && storeHoldsPassword(value)) {
    throw new MlvError('MLV_SETTINGS_PASSWORD', `${where} holds a password.`, {tryThis: passwordAdvice})
  }
}
