import type { Host } from '../host/host.js';
import { CacheError } from '../model/error.js';
import type { ParsedArguments } from './arguments.js';
import { COMMANDS } from './command-table.js';
import type { CliCommand, CommandEntry } from './command.js';
import { describeFailure, EXIT } from './failure.js';
import { programHelp } from './help.js';
import { nearest } from './nearest.js';
import { parsePlain } from './plain-arguments.js';
import type { Environment } from './settings/environment.js';
import type { Terminal } from './streams.js';
import { VERSION } from './version.js';
import { splitWords, type Words } from './words.js';

/** Everything that a run of the program gets from outside. */
export interface World {
  /** Without Node and the script. */
  readonly argv: readonly string[];
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** @throws when the current directory is gone. */
  readonly cwd: () => string;
  readonly host: () => Host | Promise<Host>;
  /** Called before a command runs that has something to clean up when a signal comes. */
  readonly onCleanUp: () => void;
}

/** Runs one call to its end and returns the exit code. Never throws. */
export async function run(world: World): Promise<number> {
  const words = splitWords(world.argv);
  try {
    const code = await dispatch(world, words);
    await world.terminal.stdout.flush();
    return code;
  } catch (error) {
    // Interrupted: what was thrown says no more than that.
    if (world.signal.aborted) return EXIT.environment;
    return fail(world, words, error);
  }
}

async function fail({ terminal }: World, words: Words, error: unknown): Promise<number> {
  const failure = describeFailure(error);
  terminal.stderr.write(failure.text);
  if (words.own.includes('--json')) terminal.stdout.write(`${JSON.stringify(failure.document)}\n`);
  try {
    await terminal.stdout.flush();
  } catch {
    // Best effort: the line on stderr says what went wrong first.
  }
  return failure.exitCode;
}

async function dispatch(world: World, words: Words): Promise<number> {
  const { name, own } = words;
  if (name === null) return withoutCommand(world, own);
  if (name === 'help') return helpFor(world, own);
  const command = await findCommand(name).load();
  if (words.command !== null && !command.takesCommand) {
    throw new CacheError('usage', `expected no command after "--" for "vyre-cache ${name}"`, {
      hint: 'Write ./ before a path that begins with a dash.',
    });
  }
  return runCommand(world, words, command);
}

/** `--help` and `--version` load nothing else. */
function withoutCommand({ terminal }: World, own: readonly string[]): number {
  if (own.some((word) => word === '-h' || word === '--help')) {
    terminal.stdout.write(programHelp());
    return EXIT.ok;
  }
  if (own.some((word) => word === '-V' || word === '--version')) {
    terminal.stdout.write(`${VERSION}\n`);
    return EXIT.ok;
  }
  const got = own.length === 0 ? 'nothing' : `"${own.join(' ')}"`;
  throw new CacheError('usage', `expected a command, got ${got}`, {
    hint: 'Run `vyre-cache --help` to see the commands.',
  });
}

async function helpFor({ terminal }: World, own: readonly string[]): Promise<number> {
  const name = own.find((word) => !word.startsWith('-'));
  if (name === undefined) {
    terminal.stdout.write(programHelp());
    return EXIT.ok;
  }
  const command = await findCommand(name).load();
  const { commandHelp } = await import('./arguments.js');
  terminal.stdout.write(commandHelp(command));
  return EXIT.ok;
}

function findCommand(name: string): CommandEntry {
  const found = COMMANDS.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const names = COMMANDS.map((entry) => entry.name);
  const near = nearest(name, names);
  throw new CacheError('usage', `expected a command, got "${name}"`, {
    hint: near === null ? `The commands are ${names.join(', ')}.` : `Did you mean ${near}?`,
  });
}

async function runCommand(world: World, words: Words, command: CliCommand): Promise<number> {
  const parsed = parsePlain(command, words.own) ?? (await parseAny(command, words.own));
  const { environment, terminal } = world;
  if (parsed.kind === 'help') {
    terminal.stdout.write(parsed.text);
    return EXIT.ok;
  }
  const { positionals, options, flags } = parsed;
  const cwd = currentDirectory(world);
  const host = await world.host();
  if (command.cleansUp) world.onCleanUp();
  return command.run({
    positionals,
    command: words.command,
    options,
    flags,
    host,
    environment,
    cwd,
    terminal,
    get signal() {
      return world.signal;
    },
  });
}

async function parseAny(command: CliCommand, words: readonly string[]): Promise<ParsedArguments> {
  const { parseArguments } = await import('./arguments.js');
  return parseArguments(command, words);
}

function currentDirectory(world: World): string {
  try {
    return world.cwd();
  } catch (error) {
    throw new CacheError('environment', 'the current directory is gone', {
      hint: 'Change to a directory that exists.',
      cause: error,
    });
  }
}
