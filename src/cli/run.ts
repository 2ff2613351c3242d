import { CacheError } from '../model/error.js';
import type { ParsedArguments } from './arguments.js';
import { COMMANDS } from './command-table.js';
import type { CliCommand, CommandEntry } from './command.js';
import { toItsEnd } from './ending.js';
import { EXIT } from './failure.js';
import { programHelp } from './help.js';
import { nearest } from './nearest.js';
import { parsePlain } from './plain-arguments.js';
import { VERSION } from './version.js';
import { splitWords, type Words } from './words.js';
import type { World } from './world.js';

/** Runs one call to its end and returns the exit code. Never throws. */
export async function run(world: World): Promise<number> {
  const words = splitWords(world.argv);
  return toItsEnd(world, words.own.includes('--json'), async () => dispatch(world, words));
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
    argv: world.argv,
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
