import { type Files, type FileStat, withFile } from '../host/files.js';
import type { Host } from '../host/host.js';
import { FOOTER_BYTES, judgeEntrySize } from '../model/entry.js';
import { errnoOf } from '../model/error.js';
import { digestOfBytes, type Digest } from '../model/fingerprint.js';

/** Large enough for full speed, small enough for the second-level cache. */
const CHUNK_BYTES = 262_144;
/** A file that changes while it is read is read again. */
const TRIES = 5;

export type EntryCheck =
  | {
      readonly verdict: 'valid';
      readonly digest: Digest;
      readonly payloadBytes: number;
      readonly stat: FileStat;
    }
  | {
      readonly verdict: 'damaged';
      readonly reason: 'truncated' | 'oversized' | 'bad-checksum' | 'not-a-file';
      readonly bytes: number;
    }
  | { readonly verdict: 'absent' }
  | { readonly verdict: 'unreadable'; readonly errno: string };

/** Checks entries in bounded memory, whatever their size; one checker holds one buffer. */
export class EntryChecker {
  readonly #host: Host;
  readonly #maxPayloadBytes: number;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);

  constructor(host: Host, maxPayloadBytes: number) {
    this.#host = host;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  check(path: string): EntryCheck {
    try {
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const result = this.#checkOnce(path);
        if (result !== 'changed') return result;
      }
      return { verdict: 'unreadable', errno: 'EBUSY' };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      if (errno === 'ENOENT') return { verdict: 'absent' };
      if (errno === 'ELOOP' || errno === 'ENXIO')
        return { verdict: 'damaged', reason: 'not-a-file', bytes: 0 };
      return { verdict: 'unreadable', errno };
    }
  }

  #checkOnce(path: string): EntryCheck | 'changed' {
    const { files } = this.#host;
    const there = files.lstat(path);
    if (there === null) return { verdict: 'absent' };
    if (there.type !== 'file') return { verdict: 'damaged', reason: 'not-a-file', bytes: 0 };
    const size = judgeEntrySize(there.bytes, this.#maxPayloadBytes);
    if (!size.ok) return { verdict: 'damaged', reason: size.reason, bytes: there.bytes };
    return withFile(files, { path, flags: 'read' }, (fd) => {
      const before = files.fstat(fd);
      if (before.inode !== there.inode || before.type !== 'file' || before.bytes !== there.bytes)
        return 'changed';
      const read = this.#digest(files, fd, size.payloadBytes);
      const after = files.fstat(fd);
      if (after.bytes !== before.bytes || after.mtimeMs !== before.mtimeMs) return 'changed';
      if (read === null) return { verdict: 'damaged', reason: 'bad-checksum', bytes: there.bytes };
      return { verdict: 'valid', digest: read, payloadBytes: size.payloadBytes, stat: after };
    });
  }

  /** Null when the footer is another one. */
  #digest(files: Files, fd: number, payloadBytes: number): Digest | null {
    const state = this.#host.hash.create();
    const buffer = this.#buffer;
    for (let position = 0; position < payloadBytes;) {
      const want = Math.min(buffer.byteLength, payloadBytes - position);
      const count = files.readAt(fd, buffer, want, position);
      if (count < want) return null;
      state.update(buffer.subarray(0, count));
      position += count;
    }
    const digest = state.digest();
    const count = files.readAt(fd, buffer, FOOTER_BYTES, payloadBytes);
    const isSame = count === FOOTER_BYTES && Buffer.compare(digest, buffer.subarray(0, FOOTER_BYTES)) === 0;
    return isSame ? digestOfBytes(digest) : null;
  }
}
