import type { Host } from '../host/host.js';
import type { Environment } from './settings/environment.js';
import type { SettingKey } from './settings/definitions.js';
import type { FlagValues } from './settings/settings.js';
import type { Terminal } from './streams.js';

/** `-o, --output <file>`; repeatable ones collect their values in the order given. */
export interface OptionSpec {
  readonly flags: string;
  readonly doc: string;
  readonly repeatable?: true;
}

/** Typed access to what was typed, by long names in camel case. */
export interface ParsedOptions {
  /** The last value given, or null. */
  text(name: string): string | null;
  /** All values given. */
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** True for `--no-<name>`. */
  refused(name: string): boolean;
}

/** What one start of the program asks for, and the world it runs in. */
export interface Call {
  /** As typed, without the program. */
  readonly argv: readonly string[];
  readonly positionals: readonly string[];
  /** The words after the first `--`; null without a `--`. */
  readonly command: readonly string[] | null;
  readonly options: ParsedOptions;
  /** The settings among the flags. */
  readonly flags: FlagValues;
  readonly host: Host;
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
  readonly terminal: Terminal;
  /** Ends when the user interrupts; only for commands that clean up. */
  readonly signal: AbortSignal;
}

/** The same call in another world. Copied by name: its signal is made when somebody asks for it. */
export function withHost(call: Call, host: Host): Call {
  const { argv, positionals, command, options, flags, environment, cwd, terminal } = call;
  return {
    argv,
    positionals,
    command,
    options,
    flags,
    host,
    environment,
    cwd,
    terminal,
    get signal() {
      return call.signal;
    },
  };
}

/** One command of the program: what it accepts and what it does. */
export interface CliCommand {
  readonly name: string;
  /** What stands behind the name in the first line of its help. */
  readonly synopsis: string;
  /** Sentences for its help. */
  readonly description: string;
  /** `[dir]`, `<fingerprint...>`; null when it takes none. */
  readonly positionals: { readonly syntax: string; readonly doc: string } | null;
  readonly options: readonly OptionSpec[];
  /** Settings whose flags it takes besides those that every command has. */
  readonly settings: readonly SettingKey[];
  /** True when words may follow after `--`. */
  readonly takesCommand: boolean;
  /** Whole lines. */
  readonly examples: readonly string[];
  /** True: a signal aborts `call.signal` and waits for `run`. False: a signal ends the process at once. */
  readonly cleansUp: boolean;
  /** The exit code. */
  run(call: Call): Promise<number>;
}

/** A row of the command table: what `--help` needs, and how to load the rest. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CliCommand>;
}
