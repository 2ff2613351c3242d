import { resolve } from 'node:path';
import type { Host } from '../../host/host.js';
import { CacheError } from '../../model/error.js';
import { resolveRoot } from '../../store/root-path.js';
import { defaultCacheDirectory, type Environment } from './environment.js';
import type { Settings } from './settings.js';

/** The cache root of this call. */
export interface ChosenRoot {
  /** Absolute, links resolved. */
  readonly path: string;
  /** True when the user typed it and it is not the one that holds anyway: then it must exist and be a cache. */
  readonly typed: boolean;
}

export interface RootSources {
  readonly host: Host;
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
  readonly settings: Settings;
  /** The positional directory of commands that take one. */
  readonly positional: string | null;
}

/** @throws CacheError `usage` when two are named, or none is known: never the current directory, never `/tmp`. */
export function chooseRoot(sources: RootSources): ChosenRoot {
  const { host, cwd, settings, positional } = sources;
  const { effective, untyped, typed } = settings.cacheDirectory;
  if (positional !== null && typed) {
    throw new CacheError(
      'usage',
      `expected one cache directory, got "${positional}" and --cache-dir "${effective}"`,
    );
  }
  if (positional === '') throw new CacheError('usage', 'expected a directory, got ""');
  const named = positional ?? effective ?? defaultCacheDirectory(sources.environment);
  if (named === null) throw noRoot();
  const path = resolveRoot(host, resolve(cwd, named));
  if (positional === null && !typed) return { path, typed: false };
  const standing = untyped ?? defaultCacheDirectory(sources.environment);
  return { path, typed: standing === null || resolveRoot(host, resolve(cwd, standing)) !== path };
}

function noRoot(): CacheError {
  return new CacheError(
    'usage',
    'expected a cache directory, got none: HOME and XDG_CACHE_HOME are not set',
    {
      hint: 'Name one with --cache-dir DIR or VYRE_CACHE_DIR.',
    },
  );
}
