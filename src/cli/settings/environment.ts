import { isAbsolute, resolve } from 'node:path';

/** Begins the names of all variables that are settings. */
export const VARIABLE_PREFIX = 'VYRE_CACHE_';
/** Names the cache directory. */
export const ROOT_VARIABLE = 'VYRE_CACHE_DIR';
/** Settings of a project, up the tree. */
export const PROJECT_FILE = 'vyre-cache.toml';

/** A copy of the variables of this process. */
export type Environment = Readonly<Record<string, string>>;

/** What of `process.env` the program goes by. */
export function processEnvironment(): Environment {
  // What is set is text: only to name one that is not set yields undefined.
  return { ...process.env } as Environment;
}

/**
 * Runs `load` while a variable is 0 for code that asks the process itself, such as an addon that is being loaded. Afterwards,
 * and where it is set otherwise, everything is as it was.
 */
export function whileOff<T>(name: string, load: () => T): T {
  if (process.env[name] !== undefined) return load();
  process.env[name] = '0';
  try {
    return load();
  } finally {
    delete process.env[name];
  }
}

/** The value of a variable that is set and not empty. */
export function variable(environment: Environment, name: string): string | null {
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  return value === undefined || value === '' ? null : value;
}

/** A relative path in one of these variables counts as unset (XDG base directory specification). */
function absolute(environment: Environment, name: string): string | null {
  const value = variable(environment, name);
  return value !== null && isAbsolute(value) ? value : null;
}

export function homeDirectory(environment: Environment): string | null {
  return absolute(environment, 'HOME');
}

function baseDirectory(environment: Environment, name: string, belowHome: string): string | null {
  const home = homeDirectory(environment);
  return absolute(environment, name) ?? (home === null ? null : resolve(home, belowHome));
}

/** `$XDG_CACHE_HOME/vyre`, else `$HOME/.cache/vyre`; null when neither is known. */
export function defaultCacheDirectory(environment: Environment): string | null {
  const base = baseDirectory(environment, 'XDG_CACHE_HOME', '.cache');
  return base === null ? null : resolve(base, 'vyre');
}

/** `$XDG_CONFIG_HOME/vyre-cache/config.toml`, else below `$HOME/.config`; null when neither is known. */
export function userSettingsFile(environment: Environment): string | null {
  const base = baseDirectory(environment, 'XDG_CONFIG_HOME', '.config');
  return base === null ? null : resolve(base, 'vyre-cache', 'config.toml');
}

/** `$XDG_STATE_HOME/vyre-cache`, else `$HOME/.local/state/vyre-cache`; null when neither is known. */
export function stateDirectory(environment: Environment): string | null {
  const base = baseDirectory(environment, 'XDG_STATE_HOME', '.local/state');
  return base === null ? null : resolve(base, 'vyre-cache');
}

/** True on a CI machine: no spinner, plain lines instead. */
export function isCi(environment: Environment): boolean {
  const value = variable(environment, 'CI');
  return value !== null && value !== 'false';
}
