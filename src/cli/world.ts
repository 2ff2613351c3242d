import type { Host } from '../host/host.js';
import type { Environment } from './settings/environment.js';
import type { Terminal } from './streams.js';

/** Everything that a run of the program gets from outside. */
export interface World {
  /** Without Node and the script. */
  readonly argv: readonly string[];
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** @throws when the current directory is gone. */
  readonly cwd: () => string;
  readonly host: () => Host | Promise<Host>;
  /** Called before a command runs that has something to clean up when a signal comes. */
  readonly onCleanUp: () => void;
}

/** Null where the current directory is gone: the long way says it. */
export function directoryOf(world: World): string | null {
  try {
    return world.cwd();
  } catch {
    return null;
  }
}
