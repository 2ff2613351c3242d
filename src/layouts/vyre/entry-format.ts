import { openScanned, type Files } from '../../host/files.js';
import { FOOTER_BYTES, judgeEntrySize } from '../../model/entry.js';
import { errnoOf } from '../../model/error.js';
import { digestOfBytes, HEX_LENGTH, isFingerprint, type Fingerprint } from '../../model/fingerprint.js';
import { hasHexAt } from '../../model/hex.js';
import { decodeRecord, isFailureRecord } from '../../model/record.js';
import { decodeSummary, MAX_RECORD_BYTES, type ArtifactSummary } from '../../model/record-head.js';
import { hashChunks } from '../../host/hash.js';
import type { ArtifactReader, PartRead } from '../artifact-reader.js';
import { latestUseMs, sumOfBytes, type Format, type NamedPart, type PartStats } from '../layout.js';
import { damaged, UNVERIFIABLE, VALID, type Verdict } from '../verdict.js';

export const ENTRY_PART = 0;
export const RECORD_PART = 1;
export const ENTRY_BIT = 1 << ENTRY_PART;

/**
 * `<64hex>.bin`: the payload, then its 32-byte BLAKE3; beside it our record, `<64hex>.json`. vyre-runtime's DiskCache,
 * vyre-aot and we write them.
 */
export const entryFormat: Format = {
  name: 'entry',
  layout: 'vyre',
  parts: [
    { prefix: '', suffix: '.bin' },
    { prefix: '', suffix: '.json' },
  ],
  removal: [ENTRY_PART, RECORD_PART],
  isPrunable: true,
  isLockedByFingerprint: true,
  wholeness: (present) => ((present & ENTRY_BIT) === 0 ? 'orphan' : 'artifact'),
  usedAtMs: (stats) => {
    const [entry = null, record = null] = stats;
    // We set the time of the last use; where there is no record of ours, the file system notes when others read.
    return entry === null || record === null ? latestUseMs([entry]) : Math.round(entry.mtimeMs);
  },
  bytes: (stats: PartStats) => sumOfBytes(stats),
  check: checkEntry,
};

/** An entry or a record by its name; null for any other one. */
export function entryPart(name: string): NamedPart | null {
  const part = partOfSuffix(name);
  if (part === null || !hasHexAt(name, 0, HEX_LENGTH)) return null;
  return { kind: 'part', format: entryFormat, part, stem: name.slice(0, HEX_LENGTH) };
}

function partOfSuffix(name: string): number | null {
  if (name.length === HEX_LENGTH + 4 && name.endsWith('.bin')) return ENTRY_PART;
  return name.length === HEX_LENGTH + 5 && name.endsWith('.json') ? RECORD_PART : null;
}

/** The fingerprint in the name of an entry; null for any other name, that of a record too. */
export function fingerprintOfEntry(name: string): Fingerprint | null {
  const named = entryPart(name);
  return named !== null && named.part === ENTRY_PART && isFingerprint(named.stem) ? named.stem : null;
}

/** Other writers write none. */
function withoutRecord({ signing }: ArtifactReader): Verdict {
  return signing === null ? VALID : damaged('unsigned');
}

/** The footer lies in the buffer of the reader, until that is used again. */
interface CheckedPayload {
  readonly ok: true;
  readonly payloadBytes: number;
  readonly footerStart: number;
}

type PayloadCheck = CheckedPayload | { readonly ok: false; readonly verdict: Verdict };

function checkEntry(artifact: ArtifactReader): Verdict {
  const payload = checkPayload(artifact);
  if (!payload.ok) return payload.verdict;
  return artifact.has(RECORD_PART) ? checkRecord(artifact, payload) : withoutRecord(artifact);
}

/** Without a function that is called back: until V8 has compiled what is done for each of many files, they take twice as long. */
function checkPayload(artifact: ArtifactReader): PayloadCheck {
  const { files } = artifact.host;
  const fd = openScanned(files, artifact.path(ENTRY_PART));
  try {
    return validSmall(artifact, files, fd) ?? streamPayload(artifact, files, fd);
  } finally {
    files.close(fd);
  }
}

/**
 * What is whole and has its digest needs no further look at the file: so small entries cost three system calls. Null for
 * any other file, of which nothing is known then.
 */
function validSmall(artifact: ArtifactReader, files: Files, fd: number): CheckedPayload | null {
  const { buffer, host, maxPayloadBytes } = artifact;
  const bytes = files.readAt(fd, buffer, buffer.byteLength, 0, 1);
  const payloadBytes = bytes - FOOTER_BYTES;
  artifact.bytesRead = bytes;
  if (bytes === buffer.byteLength || !judgeEntrySize(bytes, maxPayloadBytes).ok) return null;
  if (!host.hash.matches(artifact.bufferStart(payloadBytes), buffer, payloadBytes)) return null;
  return { ok: true, payloadBytes, footerStart: payloadBytes };
}

/** In chunks, whatever the size, and not above the bound. */
function streamPayload(artifact: ArtifactReader, files: Files, fd: number): PayloadCheck {
  const { buffer, host } = artifact;
  const stat = files.fstat(fd);
  if (stat.type !== 'file') return { ok: false, verdict: damaged('not-a-file') };
  const size = judgeEntrySize(stat.bytes, artifact.maxPayloadBytes);
  if (!size.ok) return { ok: false, verdict: damaged(size.reason) };
  const { payloadBytes } = size;
  const state = host.hash.create();
  for (let position = 0; position < payloadBytes;) {
    const want = Math.min(buffer.byteLength, payloadBytes - position);
    const count = files.readAt(fd, buffer, want, position);
    if (count < want) return { ok: false, verdict: damaged('bad-checksum') };
    state.update(buffer.subarray(0, count));
    position += count;
  }
  const digest = state.digest();
  const count = files.readAt(fd, buffer, FOOTER_BYTES, payloadBytes);
  artifact.bytesRead = payloadBytes + count;
  if (!buffer.subarray(0, count).equals(digest)) return { ok: false, verdict: damaged('bad-checksum') };
  return { ok: true, payloadBytes, footerStart: 0 };
}

/** An entry whose record tells of another one was exchanged; a record that does not decode is damage, too. */
function checkRecord(artifact: ArtifactReader, { payloadBytes, footerStart }: CheckedPayload): Verdict {
  const { hash } = artifact.host;
  // The record is read into the same buffer.
  const digest = digestOfBytes(artifact.buffer.subarray(footerStart, footerStart + FOOTER_BYTES));
  const read = readRecord(artifact);
  if (read === null) return withoutRecord(artifact);
  if (!read.ok) return damaged('unreadable-record');
  const doubt = artifact.signing?.judgeRecord(read.bytes) ?? null;
  const hashAll = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(hash, chunks);
  const binds = (record: ArtifactSummary): Verdict =>
    record.fingerprint === artifact.stem &&
    record.payloadDigest === digest &&
    record.payloadBytes === payloadBytes
      ? VALID
      : damaged('record-mismatch');
  const summary = doubt === null ? decodeSummary(read.bytes, hashAll) : null;
  if (summary !== null) return binds(summary);
  const decoded = decodeRecord(read.bytes, hashAll);
  // How a newer version signs is not known.
  if (!decoded.ok && decoded.miss === 'newer-format') return artifact.signing === null ? VALID : UNVERIFIABLE;
  if (doubt !== null) return damaged(doubt);
  if (!decoded.ok) return damaged('unreadable-record');
  return isFailureRecord(decoded.record) ? withoutRecord(artifact) : binds(decoded.record);
}

/** Null where it has vanished. @throws the errno error: a record that cannot be read is no damage. */
function readRecord(artifact: ArtifactReader): PartRead | null {
  const { bytesRead } = artifact;
  try {
    return artifact.read(RECORD_PART, MAX_RECORD_BYTES);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return null;
  } finally {
    // Of an entry the payload counts.
    artifact.bytesRead = bytesRead;
  }
}
