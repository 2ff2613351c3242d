import type { SessionOptions } from '../compile/session.js';

/** For a process that asks for one artifact once. */
export const NO_MEMORY = { entriesPerShard: 0, bytesPerShard: 0 } as const;

/** Loaded where there is something to sweep only. */
export const sweepHome: NonNullable<SessionOptions['sweep']> = async (host, home) =>
  (await import('../maintenance/sweep.js')).sweep(host, home);
