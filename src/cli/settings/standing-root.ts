import { resolve } from 'node:path';
import type { Host } from '../../host/host.js';
import { resolveRoot } from '../../store/root-path.js';
import { defaultCacheDirectory, ROOT_VARIABLE, variable, type Environment } from './environment.js';

/** What is known of a call before its words are parsed. */
export interface UnparsedCall {
  /** Without the program. */
  readonly argv: readonly string[];
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
}

/**
 * The root that the words and variables of a call seem to name; null where they name none. No settings file has been asked,
 * and a word may mean something else: who acts by it finds out later.
 */
export function standingRoot(host: Host, { argv, environment, cwd }: UnparsedCall): string | null {
  const named = typedRoot(argv) ?? variable(environment, ROOT_VARIABLE) ?? defaultCacheDirectory(environment);
  return named === null ? null : resolveRoot(host, resolve(cwd, named));
}

export const ROOT_FLAG = '--cache-dir';

function typedRoot(argv: readonly string[]): string | null {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  const at = own.lastIndexOf(ROOT_FLAG);
  if (at >= 0) return own[at + 1] ?? null;
  let named: string | null = null;
  for (const word of own) if (word.startsWith(`${ROOT_FLAG}=`)) named = word.slice(ROOT_FLAG.length + 1);
  return named;
}
