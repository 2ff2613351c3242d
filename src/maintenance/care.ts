import { withFile } from '../host/files.js';
import { errnoOf, messageOf } from '../model/error.js';
import { NO_RULES } from '../model/retention.js';
import { LOCK_BYTES } from '../store/lock-file.js';
import type { EvictedRoot } from './eviction.js';

/** A walk over the store costs a build something: at most once in this time. */
const INTERVAL_MS = 3_600_000;
/** What was published or used just now stays, however small the bound: somebody waits for it. */
const MIN_AGE_MS = 60_000;

export interface CareOptions {
  /** Of the entries with our records; 0: no care. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | null;
}

/**
 * Automatic care: keeps the entries with our records below a bound, the least recently used go first. Other writers'
 * entries stay and do not count. At most hourly, one process at a time, and not while somebody prunes.
 *
 * Best effort: the build that it follows has its result. Trouble goes to the journal and is tried again in an hour.
 */
export async function care(root: EvictedRoot, options: CareOptions): Promise<void> {
  if (options.maxBytes === 0) return;
  try {
    if (!isDue(root)) return;
    const lock = root.openLock();
    if (lock === null) return;
    await lock.tryHold(LOCK_BYTES.maintenance, async () => {
      // Another process may have just been here.
      if (!isDue(root)) return;
      stamp(root);
      await careNow(root, options);
    });
  } catch (error) {
    note(root, errnoOf(error) ?? messageOf(error));
  }
}

/** A stamp in the future is a broken clock's and must not end the care for years. */
function isDue({ host, paths }: EvictedRoot): boolean {
  const last = host.files.lstat(paths.care);
  return last === null || Math.abs(host.clock.nowMs() - last.mtimeMs) >= INTERVAL_MS;
}

/** Before the work: where no stamp can be made, every build would pay for a walk. */
function stamp({ host, paths }: EvictedRoot): void {
  withFile(host.files, { path: paths.care, flags: 'createReadWrite' }, (fd) => {
    const nowMs = host.clock.nowMs();
    host.files.setTimes(fd, nowMs, nowMs);
  });
}

async function careNow(root: EvictedRoot, options: CareOptions): Promise<void> {
  const [{ collectOurs }, { evict }, { HomeLocks }, { demandOwner }] = await Promise.all([
    import('./candidates.js'),
    import('./eviction.js'),
    import('./home-locks.js'),
    import('./owner.js'),
  ]);
  demandOwner(root);
  const { signal, maxBytes } = options;
  const { inventory, failures: unseen } = await collectOurs(root, signal);
  const { failures } = await evict(root, {
    inventory,
    rules: { ...NO_RULES, maxBytes, minAgeMs: MIN_AGE_MS },
    moment: { nowMs: root.host.clock.nowMs(), missingBytes: 0 },
    locks: new HomeLocks(root, { make: false }),
    dryRun: false,
    signal,
  });
  const all = [...unseen, ...failures];
  const [first] = all;
  if (first !== undefined)
    note(root, `${all.length} entries cannot be removed, the first with ${first.error}`);
}

function note(root: EvictedRoot, what: string): void {
  const message = `automatic care of the cache: ${what}`;
  root.addEvent({ kind: 'trouble', reason: 'care-failed', fingerprint: null, message });
}
