import type { FileStat } from '../host/files.js';
import { withRegularFile, type SmallRead } from '../host/regular-file.js';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import type { StorePaths } from '../layouts/vyre/home-paths.js';
import type { Fingerprint, HashChunks } from '../model/fingerprint.js';
import type { MacMiss, Signing } from '../model/signing.js';
import { decodeRecord, isFailureRecord, type FailureRecord, type StoredRecord } from '../model/record.js';
import {
  type ArtifactRecord,
  type ArtifactSummary,
  decodeSummary,
  MAX_RECORD_BYTES,
} from '../model/record-head.js';
import { belongs, markEntryUsed, readEntryFile, type EntryRead } from './entry-file.js';
import type { RecordMiss, TierRead } from './tier.js';

export type RecordRead =
  | { readonly ok: true; readonly record: ArtifactRecord; readonly stat: FileStat }
  | { readonly ok: false; readonly reason: RecordMiss };

export type SummaryRead =
  | { readonly ok: true; readonly record: ArtifactSummary; readonly stat: FileStat }
  | { readonly ok: false; readonly reason: RecordMiss };

type StoredRead =
  | { readonly ok: true; readonly record: StoredRecord; readonly stat: FileStat }
  | { readonly ok: false; readonly reason: RecordMiss };

/** A failure in the place of a record is none. */
function artifactIn(read: StoredRead): RecordRead {
  if (!read.ok) return read;
  const { record, stat } = read;
  return isFailureRecord(record) ? { ok: false, reason: 'absent' } : { ok: true, record, stat };
}

export interface EntryReaderOptions {
  readonly paths: StorePaths;
  readonly maxPayloadBytes: number;
  /** Who serves what it finds gives it wherever a key is configured. */
  readonly signing?: Signing | null;
}

/** Reads the entries and records of a store. It needs no lock and deletes nothing. */
export class EntryReader {
  readonly #host: Host;
  readonly #paths: StorePaths;
  readonly #maxPayloadBytes: number;
  /** Null: records are believed without a MAC. */
  readonly #signing: Signing | null;

  constructor(host: Host, { paths, maxPayloadBytes, signing = null }: EntryReaderOptions) {
    this.#host = host;
    this.#paths = paths;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#signing = signing;
  }

  readonly #hashChunks: HashChunks = (chunks) => hashChunks(this.#host.hash, chunks);

  /** The verified payload of an entry, or why there is none. Reads at most the bound plus one byte. */
  readEntry(fingerprint: Fingerprint): EntryRead {
    return readEntryFile(this.#host, this.#paths.entry(fingerprint), this.#maxPayloadBytes);
  }

  /** The record of an artifact; a failure in its place is none. */
  readRecord(fingerprint: Fingerprint): RecordRead {
    return artifactIn(this.readStored(fingerprint));
  }

  /** The failure that is remembered for this very fingerprint; null where there is none that can be read. */
  readFailure(fingerprint: Fingerprint): FailureRecord | null {
    const read = this.readStored(fingerprint);
    if (!read.ok || !isFailureRecord(read.record)) return null;
    return read.record.fingerprint === fingerprint ? read.record : null;
  }

  /** What a hit needs of a record; all of it is decoded only where that does not do. */
  readSummary(fingerprint: Fingerprint): SummaryRead {
    return this.#withRecordFile(fingerprint, (read) => {
      const isBelieved = read.ok && this.#doubt(read.bytes) === null;
      const summary = isBelieved ? decodeSummary(read.bytes, this.#hashChunks) : null;
      return read.ok && summary !== null
        ? { ok: true, record: summary, stat: read.stat }
        : artifactIn(this.#decode(read));
    });
  }

  /** What lies in the place of the record: that of an artifact, or a failure. */
  readStored(fingerprint: Fingerprint): StoredRead {
    return this.#withRecordFile(fingerprint, (read) => this.#decode(read));
  }

  #withRecordFile<T>(fingerprint: Fingerprint, work: (read: SmallRead) => T): T {
    const path = this.#paths.record(fingerprint);
    return withRegularFile(this.#host.files, { path, maxBytes: MAX_RECORD_BYTES }, work);
  }

  #decode(read: SmallRead): StoredRead {
    if (!read.ok) return { ok: false, reason: read.reason === 'absent' ? 'absent' : 'unreadable' };
    const decoded = decodeRecord(read.bytes, this.#hashChunks);
    if (!decoded.ok && decoded.miss === 'newer-format') return { ok: false, reason: decoded.miss };
    const doubt = this.#doubt(read.bytes);
    if (doubt !== null) return { ok: false, reason: doubt };
    if (!decoded.ok) return { ok: false, reason: decoded.miss };
    return { ok: true, record: decoded.record, stat: read.stat };
  }

  /** Why the bytes of a record are not believed; null where no key is demanded. */
  #doubt(bytes: Buffer): MacMiss | null {
    return this.#signing === null ? null : this.#signing.judgeRecord(bytes);
  }

  /** The artifact as it lies there now, with its record where there is one. */
  readPair(fingerprint: Fingerprint): TierRead {
    const entry = this.readEntry(fingerprint);
    if (!entry.ok) return { hit: false, reason: entry.reason };
    const read = this.readSummary(fingerprint);
    if (read.ok && !belongs(read.record, fingerprint, entry))
      return { hit: false, reason: 'record-mismatch' };
    // Nobody has signed what has no record of its own.
    if (!read.ok && this.#signing !== null)
      return { hit: false, reason: read.reason === 'absent' ? 'unsigned' : read.reason };
    const { payload, digest, stat } = entry;
    const record = read.ok ? read.record : null;
    const recordMiss = read.ok ? null : read.reason;
    const artifact = { fingerprint, payload, digest, record, recordMiss, usedAtMs: stat.mtimeMs };
    return { hit: true, artifact };
  }

  /** As {@link markEntryUsed}. */
  markUsed(fingerprint: Fingerprint, usedAtMs?: number): void {
    markEntryUsed(this.#host, this.#paths.entry(fingerprint), usedAtMs);
  }
}
