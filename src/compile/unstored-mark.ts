import { withFile } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';

/** As many slots as three hex digits tell apart; two fingerprints of one slot forget each other. */
const SLOT_HEX_DIGITS = 3;
/** The first 8 bytes of the fingerprint, then the time in milliseconds as u64le. */
const SLOT_BYTES = 16;

function slotAt(primary: Fingerprint): number {
  return Number.parseInt(primary.slice(0, SLOT_HEX_DIGITS), 16) * SLOT_BYTES;
}

function keyOf(primary: Fingerprint): Buffer {
  return Buffer.from(primary.slice(0, SLOT_BYTES), 'hex');
}

/**
 * Tells those who wait for this fingerprint that its compilation ended without an entry, so that they need not queue up
 * to find out one by one. One file of fixed size for the whole home. Best effort: a lost or overwritten mark makes those
 * who wait compile one after the other.
 */
export function markUnstored(host: Host, paths: HomePaths, primary: Fingerprint): void {
  const slot = Buffer.alloc(SLOT_BYTES);
  keyOf(primary).copy(slot);
  slot.writeBigUInt64LE(BigInt(Math.max(0, host.clock.nowMs())), 8);
  try {
    withFile(host.files, { path: paths.unstored, flags: 'createReadWrite' }, (fd) => {
      host.files.writeAt(fd, slot, slotAt(primary));
    });
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

/** True when a compilation ended without an entry since then. */
export function wasUnstoredSince(
  host: Host,
  paths: HomePaths,
  primary: Fingerprint,
  sinceMs: number,
): boolean {
  const slot = Buffer.alloc(SLOT_BYTES);
  try {
    const count = withFile(host.files, { path: paths.unstored, flags: 'read' }, (fd) =>
      host.files.readAt(fd, slot, SLOT_BYTES, slotAt(primary)),
    );
    if (count < SLOT_BYTES || !slot.subarray(0, 8).equals(keyOf(primary))) return false;
    const markedMs = Number(slot.readBigUInt64LE(8));
    return markedMs >= sinceMs && markedMs <= host.clock.nowMs();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}
