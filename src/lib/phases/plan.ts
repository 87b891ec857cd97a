import type {Phase} from '../types/phase.js'
import type {Target} from '../types/target.js'
import {usersPhase} from './04-users.js'
import {connectionPhase} from './05-connection.js'
import {verifyPhase} from './06-verify.js'
import {inOrder} from './registry.js'

/** Every phase of a target: what it builds in its own way, and what is the same on each. By number. */
export function planOf(target: Target): readonly Phase[] {
  const phases = [...target.phases, usersPhase(target), connectionPhase(target), verifyPhase(target)]
  return [...inOrder(phases)].sort((a, b) => a.id.localeCompare(b.id))
}
