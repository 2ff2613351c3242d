import { globalOptions } from './global-options.js';

/** argv in its parts, before anything is parsed. */
export interface Words {
  /** Null when no word before `--` names a command. */
  readonly name: string | null;
  /** All other words before `--`. */
  readonly own: readonly string[];
  /** The words after the first `--`; null without one. */
  readonly command: readonly string[] | null;
}

/** Splits at the first `--`, then takes the first word that is neither an option nor the value of a global one. */
export function splitWords(argv: readonly string[]): Words {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const command = end === -1 ? null : argv.slice(end + 1);
  const at = commandAt(own);
  if (at === null) return { name: null, own, command };
  return { name: own[at] ?? null, own: own.toSpliced(at, 1), command };
}

function commandAt(own: readonly string[]): number | null {
  const valued = new Set(
    globalOptions().flatMap(({ flags }) => (flags.includes('<') ? [/--[a-z-]+/.exec(flags)?.[0] ?? ''] : [])),
  );
  for (let index = 0; index < own.length; index += 1) {
    const word = own[index] ?? '';
    if (!word.startsWith('-')) return index;
    if (valued.has(word)) index += 1;
  }
  return null;
}
