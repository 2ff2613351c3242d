import type { CliCommand, OptionSpec, ParsedOptions } from './command.js';
import { globalOptions, GLOBAL_SETTINGS, settingOption } from './global-options.js';
import type { SettingKey } from './settings/definitions.js';
import type { FlagValues } from './settings/settings.js';

/** What a parser has read of an option: the value, all values of a repeatable one, or that it is there. */
export type OptionValue = string | boolean | readonly string[];

/** By long names in camel case. */
export type OptionValues = ReadonlyMap<string, OptionValue>;

/** Every option of a command. */
export function optionsOf(command: CliCommand): readonly OptionSpec[] {
  return [...command.options, ...command.settings.map(settingOption), ...globalOptions()];
}

/** The flags of an option, taken apart: `-o, --output <file>`, `--no-cache`. */
export interface OptionName {
  readonly short: string | null;
  readonly long: string;
  /** The long name in camel case, without `no-`. */
  readonly attribute: string;
  readonly isNegated: boolean;
  readonly hasValue: boolean;
}

const FLAGS = /^(?:(-[a-z]), )?(--(no-)?([a-z-]+))( <[^>]+>)?$/;

export function optionName({ flags }: Pick<OptionSpec, 'flags'>): OptionName {
  const [, short = null, long, negation, name = '', value] = FLAGS.exec(flags) ?? [];
  if (long === undefined) throw new Error(`the flags "${flags}" cannot be read`);
  const attribute = name.includes('-')
    ? name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    : name;
  return { short, long, attribute, isNegated: negation !== undefined, hasValue: value !== undefined };
}

export function readOptions(values: OptionValues): ParsedOptions {
  return {
    text: (name) => {
      const value = values.get(name);
      return typeof value === 'string' ? value : null;
    },
    list: (name) => {
      const value = values.get(name);
      return typeof value === 'object' ? value : [];
    },
    flag: (name) => values.get(name) === true,
    refused: (name) => values.get(name) === false,
  };
}

/** The settings among the options of a command. */
export function readFlags(command: CliCommand, values: OptionValues): FlagValues {
  const flags = new Map<SettingKey, string | true>();
  for (const key of [...GLOBAL_SETTINGS, ...command.settings]) {
    const value = values.get(optionName(settingOption(key)).attribute);
    if (typeof value === 'string' || value === true) flags.set(key, value);
    // What `--no-color` leaves behind.
    if (value === false) flags.set(key, 'never');
  }
  return flags;
}
