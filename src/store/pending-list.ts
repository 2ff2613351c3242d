import { withFile } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { LOCK_BYTES, type LockFile } from './lock-file.js';

/** A list this long means "every entry": flush then syncs all. Some 16,000 notes. */
const MAX_PENDING_BYTES = 1_048_576;
const TIMEOUT_MS = 10_000;

/**
 * Notes that an entry is about to appear which is not durable yet. The note precedes the rename, so an entry that a
 * power cut may lose is always on the list. @returns false when the note could not be written: sync the entry instead.
 */
export async function notePending(
  host: Host,
  home: { readonly paths: HomePaths; readonly lock: LockFile },
  fingerprint: Fingerprint,
): Promise<boolean> {
  const held = await home.lock.hold(LOCK_BYTES.pending, { timeoutMs: TIMEOUT_MS, shared: true }, () =>
    append(host, home.paths.pending, fingerprint),
  );
  return held.held && held.value;
}

function append(host: Host, path: string, fingerprint: Fingerprint): boolean {
  try {
    return withFile(host.files, { path, flags: 'append' }, (fd) => {
      if (host.files.fstat(fd).bytes >= MAX_PENDING_BYTES) return true;
      host.files.write(fd, Buffer.from(`${fingerprint}\n`, 'latin1'));
      return true;
    });
  } catch {
    // Best effort: the caller makes the entry durable at once.
    return false;
  }
}

/** Makes one entry durable: its file, its record, their folder. @throws the errno error of a failed sync. */
export function syncEntry(host: Host, store: StorePaths, fingerprint: Fingerprint): void {
  for (const path of [store.entry(fingerprint), store.record(fingerprint), store.folder]) {
    withFile(host.files, { path, flags: 'read' }, (fd) => {
      host.files.sync(fd);
    });
  }
}
