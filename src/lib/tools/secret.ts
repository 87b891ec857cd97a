import {inspect} from 'node:util'

/** A value that no text, JSON or log shows. Unwrapped only where it is handed to a child's environment, its stdin, a 0600 file or a request header. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Every caller is a place to review. */
  reveal(): string {
    return this.#value
  }

  toJSON(): string {
    return '***'
  }

  toString(): string {
    return '***'
  }

  [inspect.custom](): string {
    return '***'
  }
}
