import type { Call } from './command.js';

/** The directory of commands that take at most one; null when none was typed. */
export function directoryOf(call: Call): string | null {
  return call.positionals[0] ?? null;
}
