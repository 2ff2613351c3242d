import { Command, CommanderError, Option } from 'commander';
import { CacheError } from '../model/error.js';
import type { CliCommand, OptionSpec, ParsedOptions } from './command.js';
import { nearest } from './nearest.js';
import { optionsOf, readFlags, readOptions, type OptionValue } from './parsed-options.js';
import type { FlagValues } from './settings/settings.js';

export interface ParsedRun {
  readonly kind: 'run';
  readonly positionals: readonly string[];
  readonly options: ParsedOptions;
  readonly flags: FlagValues;
}

export type ParsedArguments = ParsedRun | { readonly kind: 'help'; readonly text: string };

/** Parses the words of one command, without its name and without what follows `--`. @throws CacheError `usage`. */
export function parseArguments(command: CliCommand, words: readonly string[]): ParsedArguments {
  let help = '';
  const parser = buildParser(command).configureOutput({
    writeOut: (text) => {
      help += text;
    },
    writeErr: () => undefined,
    outputError: () => undefined,
    getOutHelpWidth: () => HELP_COLUMNS,
  });
  try {
    parser.parse([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return { kind: 'help', text: help };
    throw usageError(command, parser, error);
  }
  const values = valuesOf(parser.opts());
  return {
    kind: 'run',
    positionals: parser.args,
    options: readOptions(values),
    flags: readFlags(command, values),
  };
}

/** The same everywhere, so that a manual can quote it. */
const HELP_COLUMNS = 80;

/** The help of one command. */
export function commandHelp(command: CliCommand): string {
  const parsed = parseArguments(command, ['--help']);
  if (parsed.kind !== 'help') throw new Error('expected the help of a command');
  return parsed.text;
}

function buildParser(command: CliCommand): Command {
  const parser = new Command(`vyre-cache ${command.name}`)
    .exitOverride()
    .showSuggestionAfterError(false)
    .allowExcessArguments(false)
    .usage(command.synopsis)
    .description(command.description)
    .helpOption('-h, --help', 'show this help');
  const { positionals } = command;
  if (positionals !== null) parser.argument(positionals.syntax, positionals.doc);
  for (const spec of optionsOf(command)) parser.addOption(buildOption(spec));
  const lines = command.examples.map((line) => `  ${line}`).join('\n');
  return lines === '' ? parser : parser.addHelpText('after', `\nExamples:\n${lines}`);
}

function buildOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.doc);
  if (spec.repeatable !== true) return option;
  return option.argParser((value: string, before: unknown) => [...asList(before), value]);
}

function asList(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function valuesOf(read: Readonly<Record<string, unknown>>): ReadonlyMap<string, OptionValue> {
  const values = new Map<string, OptionValue>();
  for (const [name, value] of Object.entries(read)) {
    if (Array.isArray(value)) values.set(name, asList(value));
    else if (typeof value === 'string' || typeof value === 'boolean') values.set(name, value);
  }
  return values;
}

/** Commander's mistakes in our words: what was expected, what was found, what to do. */
function usageError(command: CliCommand, parser: Command, error: CommanderError): CacheError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const hint = `Run \`vyre-cache ${command.name} --help\` to see what it takes.`;
  switch (error.code) {
    case 'commander.unknownOption':
      return unknownOption(command, parser, quoted);
    case 'commander.optionMissingArgument':
      return new CacheError('usage', `expected a value after "${quoted}", got nothing`, { hint });
    case 'commander.missingArgument':
      return new CacheError('usage', `expected a ${quoted}, got nothing`, { hint });
    case 'commander.excessArguments':
      return new CacheError(
        'usage',
        `expected "${parser.name()} ${parser.usage()}", got "${parser.args.join(' ')}"`,
        { hint },
      );
    default:
      return new CacheError('usage', error.message.replace(/^error: /, ''), { hint, cause: error });
  }
}

function unknownOption(command: CliCommand, parser: Command, typed: string): CacheError {
  const name = typed.split('=')[0] ?? typed;
  const known = parser.options.flatMap((option) => (option.long === undefined ? [] : [option.long]));
  const near = nearest(name, known);
  return new CacheError('usage', `expected an option of "vyre-cache ${command.name}", got "${typed}"`, {
    hint: near === null ? `Run \`vyre-cache ${command.name} --help\` to see them.` : `Did you mean ${near}?`,
  });
}
