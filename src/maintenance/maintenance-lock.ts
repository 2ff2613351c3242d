import { CacheError } from '../model/error.js';
import { LOCK_BYTES } from '../store/lock-file.js';
import type { MaintainedRoot } from './maintained-root.js';

/** Longer than a prune of millions of entries takes. */
const WAIT_MS = 600_000;

/**
 * Runs work that removes from a root while nobody else does; where nothing can be locked, at once.
 * @throws CacheError environment when somebody else has been at it for ten minutes.
 */
export async function whileNobodyMaintains<T>(
  root: MaintainedRoot,
  signal: AbortSignal | null,
  work: () => Promise<T>,
): Promise<T> {
  const lock = root.openLock({ make: true });
  if (lock === null) return work();
  const waiting = { timeoutMs: WAIT_MS, ...(signal === null ? {} : { signal }) };
  const held = await lock.hold(LOCK_BYTES.maintenance, waiting, work);
  if (held.held) return held.value;
  throw new CacheError('environment', `another process has been maintaining "${root.root}" for ten minutes`, {
    hint: 'Wait for it, or end it, and try again.',
  });
}
