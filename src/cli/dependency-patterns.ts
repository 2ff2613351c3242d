import { isAbsolute, resolve } from 'node:path';
import { statOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import { CacheError } from '../model/error.js';

export interface PatternOptions {
  readonly host: Host;
  /** Absolute. */
  readonly cwd: string;
  /** As given behind `--deps`. */
  readonly patterns: readonly string[];
}

/**
 * The files that `--deps` names, each once, sorted by their bytes. A pattern that is the name of a file means that
 * file, whatever characters it holds; hidden files match, because a compiler reads them too.
 * @throws CacheError `usage` for a pattern that matches no file.
 */
export async function expandDependencies(options: PatternOptions): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const pattern of options.patterns) {
    for (const path of await expand(options, pattern)) found.add(path);
  }
  return sortedByBytes(found);
}

/** The order of dependencies, which does not depend on the order of the patterns. */
export function sortedByBytes(paths: ReadonlySet<string>): readonly string[] {
  return [...paths].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function expand({ host, cwd }: PatternOptions, pattern: string): Promise<readonly string[]> {
  const literal = pattern === '' ? null : statOrNull(host.files, resolve(cwd, pattern));
  if (literal?.type === 'directory') {
    throw new CacheError('usage', `expected files for --deps, got the folder "${pattern}"`, {
      hint: `Name what is in it: --deps '${pattern.replace(/\/+$/, '')}/**'`,
    });
  }
  if (literal !== null) return [pattern];
  const { glob } = await import('tinyglobby');
  const matches = await glob(pattern, {
    cwd,
    absolute: isAbsolute(pattern),
    dot: true,
    expandDirectories: false,
    onlyFiles: true,
  });
  if (matches.length > 0) return matches;
  throw new CacheError('usage', `expected files for --deps, got none for "${pattern}"`, {
    hint: `Quote the pattern, so that the shell leaves it alone; it is relative to "${cwd}".`,
  });
}
