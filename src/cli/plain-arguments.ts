import type { CliCommand } from './command.js';
import {
  optionName,
  optionsOf,
  readFlags,
  readOptions,
  type OptionName,
  type OptionValue,
} from './parsed-options.js';
import type { ParsedRun } from './arguments.js';

/**
 * Reads the words of a command where they are plain: options by their whole names, each value in a word of its own. It
 * exists because the argument parser takes longer to load than a hit may. Null for everything else, mistakes and help
 * included: then the argument parser decides. What is read here is what that would have read; a test compares them.
 */
export function parsePlain(command: CliCommand, words: readonly string[]): ParsedRun | null {
  const known = new Map<string, OptionName & { readonly isRepeatable: boolean }>();
  const values = new Map<string, OptionValue>();
  for (const spec of optionsOf(command)) {
    const option = { ...optionName(spec), isRepeatable: spec.repeatable === true };
    known.set(option.long, option);
    if (option.short !== null) known.set(option.short, option);
    // An option that only refuses something is on until it is given.
    if (option.isNegated && !known.has(`--${option.attribute}`)) values.set(option.attribute, true);
  }
  const positionals: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-') {
      positionals.push(word);
      continue;
    }
    const option = known.get(word);
    if (option === undefined) return null;
    if (!option.hasValue) {
      values.set(option.attribute, !option.isNegated);
      continue;
    }
    index += 1;
    const value = words[index];
    if (value === undefined) return null;
    const before = values.get(option.attribute);
    values.set(
      option.attribute,
      option.isRepeatable ? [...(typeof before === 'object' ? before : []), value] : value,
    );
  }
  if (!takes(command, positionals.length)) return null;
  return { kind: 'run', positionals, options: readOptions(values), flags: readFlags(command, values) };
}

function takes({ positionals }: CliCommand, count: number): boolean {
  if (positionals === null) return count === 0;
  const { syntax } = positionals;
  return (count > 0 || syntax.startsWith('[')) && (count <= 1 || syntax.includes('...'));
}
