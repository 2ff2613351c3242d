import { withFile } from '../host/files.js';
import { errnoOf, messageOf } from '../model/error.js';
import { NO_RULES } from '../model/retention.js';
import { LOCK_BYTES, type LockFile } from '../store/lock-file.js';
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
      await careNow(root, lock, options);
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

async function careNow(root: EvictedRoot, lock: LockFile, options: CareOptions): Promise<void> {
  const [{ collectCandidates }, { evict }, { demandOwner }, { EntryStore }] = await Promise.all([
    import('./candidates.js'),
    import('./eviction.js'),
    import('./owner.js'),
    import('./prunable-store.js'),
  ]);
  demandOwner(root);
  const store = new EntryStore(root.host, root.root, root.openStore());
  const { candidates, failures: unseen } = await collectCandidates(store, {
    clock: root.host.clock,
    signal: options.signal,
    accept: ({ isOurs }) => isOurs,
  });
  const { failures } = await evict(root, {
    store,
    candidates,
    rules: { ...NO_RULES, maxBytes: options.maxBytes, minAgeMs: MIN_AGE_MS },
    moment: { nowMs: root.host.clock.nowMs(), missingBytes: 0 },
    lock,
    dryRun: false,
    signal: options.signal,
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
