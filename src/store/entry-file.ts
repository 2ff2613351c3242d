import { withFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { readRegularFile } from '../host/regular-file.js';
import { FOOTER_BYTES, judgeEntrySize, splitEntry } from '../model/entry.js';
import { digestOfBytes, type Digest, type Fingerprint } from '../model/fingerprint.js';
import type { MissReason } from '../model/lifecycle.js';
import type { ArtifactSummary } from '../model/record-head.js';

/** A hit sets the recency only when it is older than this: one write a minute per entry at most. */
const RECENCY_MS = 60_000;

export type EntryRead =
  | {
      readonly ok: true;
      readonly payload: Buffer;
      readonly digest: Digest;
      readonly stat: FileStat;
      /** The whole file. */
      readonly bytes: Buffer;
    }
  | { readonly ok: false; readonly reason: MissReason };

/** The verified payload of an entry, or why there is none. Reads at most the bound plus one byte. */
export function readEntryFile(host: Host, path: string, maxPayloadBytes: number): EntryRead {
  const read = readRegularFile(host.files, path, maxPayloadBytes + FOOTER_BYTES);
  if (!read.ok) return read;
  const size = judgeEntrySize(read.bytes.byteLength, maxPayloadBytes);
  if (!size.ok) return size;
  const { payload, footer } = splitEntry(read.bytes);
  if (!host.hash.matches(payload, footer)) return { ok: false, reason: 'bad-checksum' };
  return { ok: true, payload, digest: digestOfBytes(footer), stat: read.stat, bytes: read.bytes };
}

/** True for the record of this very entry. */
export function belongs(
  record: ArtifactSummary,
  fingerprint: Fingerprint,
  entry: { readonly payload: Buffer; readonly digest: Digest },
): boolean {
  return (
    record.fingerprint === fingerprint &&
    record.payloadDigest === entry.digest &&
    record.payloadBytes === entry.payload.byteLength
  );
}

/**
 * Sets the time of the last use, if it is not that of a moment ago (`usedAtMs`, where it was seen). Best effort: an
 * entry whose recency cannot be set is pruned earlier.
 */
export function markEntryUsed({ files, clock }: Host, path: string, usedAtMs?: number): void {
  const nowMs = clock.nowMs();
  if (usedAtMs !== undefined && nowMs - usedAtMs <= RECENCY_MS) return;
  try {
    withFile(files, { path, flags: 'read' }, (fd) => {
      if (nowMs - files.fstat(fd).mtimeMs > RECENCY_MS) files.setTimes(fd, nowMs, nowMs);
    });
  } catch {
    // Best effort, see above.
  }
}
