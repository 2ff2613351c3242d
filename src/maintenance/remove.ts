import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { DiskTier } from '../store/disk-tier.js';
import { fingerprintByte, type LockFile } from '../store/lock-file.js';
import type { MaintainedRoot } from './maintained-root.js';
import { demandKnownFormat, demandOwner } from './owner.js';
import type { RemovedEntry, RemoveReport } from './reports.js';

/**
 * Removes entries with their records, each under its lock, without waiting: what is being published stays (`in-use`).
 * @throws CacheError environment when the root belongs to somebody else or to a newer version.
 */
export async function removeEntries(
  root: MaintainedRoot,
  fingerprints: readonly Fingerprint[],
): Promise<RemoveReport> {
  demandOwner(root);
  demandKnownFormat(root);
  const store = root.openStore();
  const lock = root.openLock({ make: true });
  const entries: RemovedEntry[] = [];
  for (const fingerprint of fingerprints) entries.push(await removeOne(store, lock, fingerprint));
  return { root: root.root, entries };
}

async function removeOne(
  store: DiskTier,
  lock: LockFile | null,
  fingerprint: Fingerprint,
): Promise<RemovedEntry> {
  const remove = (): RemovedEntry => tryRemove(store, fingerprint);
  if (lock === null) return remove();
  const held = await lock.tryHold(fingerprintByte(fingerprint), remove);
  return held.held ? held.value : { fingerprint, result: 'in-use', bytes: 0, error: null };
}

function tryRemove(store: DiskTier, fingerprint: Fingerprint): RemovedEntry {
  try {
    const bytes = store.remove(fingerprint);
    return { fingerprint, result: bytes === null ? 'absent' : 'removed', bytes: bytes ?? 0, error: null };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return { fingerprint, result: 'failed', bytes: 0, error: errno };
  }
}
