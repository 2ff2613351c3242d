import { writeNewFile } from '../host/files.js';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import type { StorePaths } from '../layouts/vyre/home-paths.js';
import { fingerprintOfEntry } from '../layouts/vyre/entry-format.js';
import { entryChunks } from '../model/entry.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint, HashChunks } from '../model/fingerprint.js';
import type { MissReason } from '../model/lifecycle.js';
import type { Signing } from '../model/signing.js';
import { encodeRecord, type FailureRecord } from '../model/record.js';
import { MAX_RECORD_BYTES } from '../model/record-head.js';
import type { EntryRead } from './entry-file.js';
import { EntryReader, type EntryReaderOptions, type RecordRead } from './entry-reader.js';
import { fingerprintByte, type LockFile } from './lock-file.js';
import type { Artifact, Tier, TierRead } from './tier.js';

/** How long a store in which an entry was seen counts as one that has some. */
const SEEN_MS = 1000;
/** How often a reader looks again at an entry and a record that do not fit while somebody publishes. */
const MISMATCH_TRIES = 20;
const MISMATCH_WAIT_MS = 50;

export type PublishResult =
  | { readonly stored: true; readonly kept: boolean; readonly nondeterministic: boolean }
  | {
      readonly stored: false;
      readonly reason: 'payload-too-large' | 'output-too-large' | 'not-a-file' | 'newer-format';
    };

/** A file that is renamed into its place. */
interface Move {
  readonly from: string;
  readonly to: string;
}

export interface PublishOptions {
  /** An existing folder of ours on the same file system, where the files are written before they are renamed. */
  readonly staging: string;
  /** Replace a valid entry that is there already. */
  readonly replace: boolean;
  /** Called with the written files, before any of them is renamed. */
  beforeRename(staged: readonly string[]): Promise<void>;
}

/**
 * The store on disk: a flat folder of `<fingerprint>.bin` and `<fingerprint>.json`, byte-compatible with vyre-runtime's
 * DiskCache. Reading needs no lock and deletes nothing.
 */
export class DiskTier implements Tier {
  readonly name = 'disk';
  readonly #host: Host;
  readonly #reader: EntryReader;
  readonly paths: StorePaths;
  readonly #maxPayloadBytes: number;
  /** Null where nothing can be locked: a store that is not ours, or one that may not be written. */
  readonly #lock: LockFile | null;
  /** Null: records are believed without a MAC, and written without one. */
  readonly #signing: Signing | null;
  /** When an entry was last seen, whichever it was. */
  #seenAtMs: number | null = null;

  constructor(host: Host, options: EntryReaderOptions & { readonly lock: LockFile | null }) {
    this.#host = host;
    this.#reader = new EntryReader(host, options);
    this.paths = options.paths;
    this.#maxPayloadBytes = options.maxPayloadBytes;
    this.#lock = options.lock;
    this.#signing = options.signing ?? null;
  }

  readonly #hashChunks: HashChunks = (chunks) => hashChunks(this.#host.hash, chunks);

  /** As {@link EntryReader.readEntry}. */
  readEntry(fingerprint: Fingerprint): EntryRead {
    return this.#reader.readEntry(fingerprint);
  }

  /** As {@link EntryReader.readRecord}. */
  readRecord(fingerprint: Fingerprint): RecordRead {
    return this.#reader.readRecord(fingerprint);
  }

  /** As {@link EntryReader.readFailure}. */
  readFailure(fingerprint: Fingerprint): FailureRecord | null {
    return this.#reader.readFailure(fingerprint);
  }

  /** As {@link EntryReader.markUsed}. */
  markUsed(fingerprint: Fingerprint, usedAtMs?: number): void {
    this.#reader.markUsed(fingerprint, usedAtMs);
  }

  /**
   * The artifact, with its record where there is one. An entry and a record that do not belong together are looked at
   * again while nobody publishes, before they are a miss; so is one without the other, where that may be the moment of an
   * exchange.
   */
  async get(fingerprint: Fingerprint): Promise<TierRead> {
    let read = this.#reader.readPair(fingerprint);
    if (!this.#mayBeExchanged(read)) return read;
    for (let attempt = 0; attempt < MISMATCH_TRIES; attempt += 1) {
      const byte = fingerprintByte(fingerprint);
      const lock = this.#lock;
      if (lock === null || lock.holds(byte)) return read.hit ? read : this.#reader.readPair(fingerprint);
      const held = await lock.tryHold(byte, () => this.#reader.readPair(fingerprint));
      if (held.held) return held.value;
      await this.#host.clock.sleep(this.#host.random.fraction() * MISMATCH_WAIT_MS);
      read = this.#reader.readPair(fingerprint);
      if (!this.#mayBeExchanged(read)) return read;
    }
    return read;
  }

  getNow(fingerprint: Fingerprint): TierRead | null {
    const read = this.#reader.readPair(fingerprint);
    return this.#mayBeExchanged(read) ? null : read;
  }

  #mayBeExchanged(read: TierRead): boolean {
    if (read.hit) return read.artifact.recordMiss === 'absent';
    return read.reason === 'record-mismatch' || (this.#signing !== null && read.reason === 'absent');
  }

  /**
   * Makes an entry visible whole: record first, then the entry, whose rename is the commit; a valid one of other bytes is
   * exchanged. The caller holds the lock of the fingerprint.
   * @throws the errno error of a failed write; what was staged stays in `staging`.
   */
  async publish(artifact: Artifact, options: PublishOptions): Promise<PublishResult> {
    const { fingerprint, payload, digest, record } = artifact;
    if (record === null) throw new Error('an entry of ours is published with its record');
    const refused = this.#refusal(artifact);
    if (refused !== null) return { stored: false, reason: refused };
    const present = this.#reader.readPair(fingerprint);
    const known = present.hit && present.artifact.record !== null ? present.artifact : null;
    const nondeterministic = known !== null && known.digest !== digest;
    if (known !== null && !options.replace) return { stored: true, kept: true, nondeterministic };
    const encoded = encodeRecord(record, this.#hashChunks, this.#signing);
    if (encoded.byteLength > MAX_RECORD_BYTES) return { stored: false, reason: 'output-too-large' };
    const { files } = this.#host;
    const stagedEntry = `${options.staging}/entry`;
    const stagedRecord = `${options.staging}/record`;
    writeNewFile(files, stagedRecord, [encoded]);
    writeNewFile(files, stagedEntry, entryChunks(payload, Buffer.from(digest, 'hex')));
    await options.beforeRename([stagedRecord, stagedEntry]);
    const moves = {
      record: { from: stagedRecord, to: this.paths.record(fingerprint) },
      entry: { from: stagedEntry, to: this.paths.entry(fingerprint) },
    };
    if (present.hit && present.artifact.digest !== digest) {
      this.#exchange(moves, `${options.staging}/former`);
    } else {
      files.rename(moves.record.from, moves.record.to);
      files.rename(moves.entry.from, moves.entry.to);
    }
    return { stored: true, kept: false, nondeterministic };
  }

  /**
   * Replaces a valid pair by one of other bytes. Killed or failed in between, it never leaves an entry beside the record of
   * another one: it leaves an entry alone, which is valid, or where a key demands records, a record alone, which is litter.
   * What could not be replaced at all stays.
   */
  #exchange({ record, entry }: { readonly record: Move; readonly entry: Move }, former: string): void {
    const { files } = this.#host;
    const [first, last] = this.#signing === null ? [entry, record] : [record, entry];
    const isThere = files.lstat(last.to) !== null;
    if (isThere) files.rename(last.to, former);
    try {
      files.rename(first.from, first.to);
    } catch (error) {
      if (isThere) files.rename(former, last.to);
      throw error;
    }
    files.rename(last.from, last.to);
  }

  /**
   * Puts a failure in the place of the record. Never beside an entry that may be valid, nor over a record of a newer
   * version or a directory. The caller holds the lock of the fingerprint. @returns whether it was written.
   * @throws the errno error of a failed write; what was staged stays in `staging`.
   */
  recordFailure(record: FailureRecord, staging: string): boolean {
    const { files } = this.#host;
    const { fingerprint } = record;
    const entry = this.readEntry(fingerprint);
    if (entry.ok || !NO_VALID_ENTRY.has(entry.reason)) return false;
    const path = this.paths.record(fingerprint);
    if (files.lstat(path)?.type === 'directory') return false;
    const there = this.#reader.readStored(fingerprint);
    if (!there.ok && there.reason === 'newer-format') return false;
    const encoded = encodeRecord(record, this.#hashChunks, this.#signing);
    if (encoded.byteLength > MAX_RECORD_BYTES) return false;
    const staged = `${staging}/failure`;
    writeNewFile(files, staged, [encoded]);
    files.rename(staged, path);
    return true;
  }

  #refusal(artifact: Artifact): 'payload-too-large' | 'not-a-file' | 'newer-format' | null {
    const { fingerprint, payload } = artifact;
    const { files } = this.#host;
    if (payload.byteLength > this.#maxPayloadBytes) return 'payload-too-large';
    for (const path of [this.paths.entry(fingerprint), this.paths.record(fingerprint)]) {
      if (files.lstat(path)?.type === 'directory') return 'not-a-file';
    }
    const record = this.readRecord(fingerprint);
    return !record.ok && record.reason === 'newer-format' ? 'newer-format' : null;
  }

  /**
   * Removes an artifact, the entry first: a crash in between leaves a record without entry, which is litter. The
   * caller holds the lock. @returns the bytes of what was there; null when nothing was.
   * @throws the errno error of a failed removal.
   */
  remove(fingerprint: Fingerprint): number | null {
    let bytes: number | null = null;
    for (const path of [this.paths.entry(fingerprint), this.paths.record(fingerprint)]) {
      const stat = this.#host.files.lstat(path);
      if (stat === null) continue;
      this.#unlink(path);
      bytes = (bytes ?? 0) + stat.bytes;
    }
    return bytes;
  }

  #unlink(path: string): void {
    try {
      this.#host.files.unlink(path);
    } catch (error) {
      // Somebody else removed it in between, which is what the caller wants.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  /**
   * True when the store holds no entry at all; reads no further than the first one. One that was seen a moment ago
   * counts: for a reason that people read that is near enough.
   */
  isEmpty(): boolean {
    const nowMs = this.#host.clock.monotonicMs();
    if (this.#seenAtMs !== null && nowMs - this.#seenAtMs < SEEN_MS) return false;
    const empty = this.#holdsNothing();
    this.#seenAtMs = empty ? null : nowMs;
    return empty;
  }

  #holdsNothing(): boolean {
    let empty = true;
    try {
      this.#host.files.scanDirectory(this.paths.folder, (item) => {
        empty = fingerprintOfEntry(item.name) === null;
        return empty;
      });
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
    return empty;
  }
}

/** What lies there is no artifact for anybody; `oversized` and `unreadable` may be one for somebody else. */
const NO_VALID_ENTRY: ReadonlySet<MissReason> = new Set<MissReason>([
  'absent',
  'truncated',
  'bad-checksum',
  'not-a-file',
]);
