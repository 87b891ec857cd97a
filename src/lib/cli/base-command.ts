import {Command} from '@oclif/core/command'
import * as Flags from '@oclif/core/flags'

import type {Context} from '../context.js'
import {commandPrefix} from './command-prefix.js'
import {type ContextOptions, createContext, createLenientContext, type LenientContext} from './context-factory.js'
import {type Interrupt, listenForInterrupts} from './interrupt.js'
import {errorJson, formatError, toMlvError} from './print-error.js'

export interface GlobalFlags {
  profile?: string | undefined
  quiet?: boolean
  setting?: string | readonly string[] | undefined
  'dry-run'?: boolean
}

/** What every command shares: `--profile`, `--json`, `--quiet`, interrupts, and the way errors are shown. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    profile: Flags.string({
      char: 'p',
      env: 'MLV_PROFILE',
      helpGroup: 'GLOBAL',
      helpValue: '<name>',
      summary: 'Act on this profile of mlv.yaml.',
    }),
    quiet: Flags.boolean({
      char: 'q',
      env: 'MLV_QUIET',
      helpGroup: 'GLOBAL',
      summary: 'Show warnings and the result only.',
    }),
    setting: Flags.string({
      env: 'MLV_SETTING',
      helpGroup: 'GLOBAL',
      helpValue: '<name=value>',
      multiple: true,
      multipleNonGreedy: true,
      summary: 'Use this setting instead of the one in mlv.yaml, such as ray.cpus=2.',
    }),
  }

  #interrupt: Interrupt | undefined
  readonly #open: (() => Promise<void>)[] = []

  /** Builds what the use-case is handed. Reads mlv.yaml; a wrong file is an error here, never in `--help`. */
  protected async context(flags: GlobalFlags): Promise<Context> {
    return createContext(this.#contextOptions(flags))
  }

  /** The same for commands that have to help where mlv.yaml is what is broken. */
  protected async lenientContext(flags: GlobalFlags): Promise<LenientContext> {
    return createLenientContext(this.#contextOptions(flags))
  }

  #contextOptions(flags: GlobalFlags): ContextOptions {
    this.#interrupt ??= listenForInterrupts(process.stderr)
    return {
      config: this.config,
      dryRun: flags['dry-run'] ?? false,
      json: this.jsonEnabled(),
      onOpen: close => this.#open.push(close),
      profile: flags.profile,
      quiet: flags.quiet ?? false,
      // From the variable oclif hands one text, whatever the type says: a setting a line.
      settings: typeof flags.setting === 'string' ? flags.setting.split('\n') : flags.setting,
      signal: this.#interrupt.signal,
    }
  }

  protected override async catch(thrown: Error): Promise<void> {
    const error = toMlvError(thrown, commandPrefix(this.config.root), this.id)
    process.exitCode = error.exitCode
    if (this.jsonEnabled()) this.logJson(errorJson(error))
    else process.stderr.write(formatError(error))
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    await Promise.all(this.#open.map(close => close().catch(() => undefined)))
    this.#interrupt?.dispose()
    await super.finally(error)
  }
}
