import {Chalk, chalkStderr} from 'chalk'

import type {Environment} from '../profile/env.js'
import {type Symbols, symbolsFor} from './symbols.js'

type Style = (text: string) => string

/** Colours and symbols: the only place that knows either. Colour only ever repeats what a word or symbol says. */
export interface Theme {
  readonly good: Style
  readonly bad: Style
  readonly warn: Style
  readonly dim: Style
  readonly strong: Style
  readonly accent: Style
  readonly symbols: Symbols
}

/** Fits what is written to a stream of this kind. `MLV_ASCII=1` and `NO_COLOR=1` ask for less. */
export function createTheme(environment: Environment, {isTerminal}: {isTerminal: boolean}): Theme {
  const level = isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb' ? chalkStderr.level : 0
  const paint = new Chalk({level})
  return {
    good: paint.green,
    bad: paint.red,
    warn: paint.yellow,
    dim: paint.dim,
    strong: paint.bold,
    accent: paint.cyan,
    symbols: symbolsFor(environment),
  }
}

/** For a command's result, which goes to stdout: coloured only where that is a terminal. */
export function resultTheme(environment: Environment): Theme {
  return createTheme(environment, {isTerminal: process.stdout.isTTY === true})
}
