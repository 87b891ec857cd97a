import type {Context} from '../context.js'
import {MlvError} from '../errors.js'
import {symbolsFor} from './symbols.js'

export interface Question<T> {
  /** A full-sentence question, or a noun and a colon. */
  readonly message: string
  /** The flag that answers it. */
  readonly flag: string
  /** A command of mlv that gives the answer where nobody can be asked, such as `init --name local`. */
  readonly instead: string
  readonly initial?: T
}

export interface TextQuestion extends Question<string> {
  /** True, or the sentence that says what is wrong with the answer. */
  readonly validate?: (answer: string) => true | string
}

export interface ChoiceQuestion<T> extends Question<T> {
  readonly choices: readonly {readonly value: T; readonly name: string; readonly description?: string}[]
}

type Asking = Pick<Context, 'environment' | 'signal' | 'command'>

/** Whether there is somebody to answer: a terminal at both ends, and not CI. */
export function canAsk({environment}: Pick<Context, 'environment'>): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true && !environment.CI
}

/** Asks for one line of text. */
export async function askText(context: Asking, question: TextQuestion): Promise<string> {
  const {initial, message, validate} = question
  ensureTerminal(context, question)
  const {input} = await import('@inquirer/prompts')
  return answered(context, streams =>
    input(
      {
        message,
        ...themed(context, inputTheme),
        ...(initial === undefined ? {} : {default: initial}),
        ...(validate ? {validate} : {}),
      },
      streams,
    ),
  )
}

/** Asks for one of a few. */
export async function askOne<T>(context: Asking, question: ChoiceQuestion<T>): Promise<T> {
  const {choices, initial, message} = question
  ensureTerminal(context, question)
  const {select} = await import('@inquirer/prompts')
  return answered(context, streams =>
    select<T>(
      {
        message,
        choices: [...choices],
        ...themed(context, selectTheme),
        ...(initial === undefined ? {} : {default: initial}),
      },
      streams,
    ),
  )
}

const inputTheme = {prefix: {idle: '?', done: '+'}}
const selectTheme = {
  ...inputTheme,
  icon: {cursor: '>'},
  style: {keysHelpTip: () => 'arrow keys and Enter'},
}

/** Where the locale has no other letters than those of ASCII. */
function themed<T>({environment}: Asking, theme: T): {theme?: T} {
  return symbolsFor(environment).isAscii ? {theme} : {}
}

function ensureTerminal(context: Asking, {flag, instead, message}: Question<unknown>): void {
  if (canAsk(context)) return
  throw new MlvError('MLV_USAGE_NO_TERMINAL', `"${message}" cannot be asked: there is no terminal. Give ${flag}.`, {
    tryThis: [context.command(instead)],
  })
}

interface PromptStreams {
  readonly output: NodeJS.WriteStream
  readonly signal: AbortSignal
}

/** Questions go to stderr, so that stdout keeps the result alone. */
async function answered<T>({signal}: Asking, ask: (streams: PromptStreams) => Promise<T>): Promise<T> {
  try {
    return await ask({output: process.stderr, signal})
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
