import { withFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import { digestOfBytes, isDigest, type Digest } from '../model/fingerprint.js';
import { isSettled, type Stamps } from './stamps.js';

const CHUNK_BYTES = 262_144;
/** Hashing a smaller file costs no more than keeping its stamp. */
const MIN_STAMPED_BYTES = 65_536;

/** A file's digest and the state it was in. */
export interface FileDigest {
  readonly path: string;
  readonly digest: Digest;
  readonly stat: FileStat;
  /** False when the file was so young that a later change need not show in its times. */
  readonly settled: boolean;
}

/** Digests of files, from the stamps where they may be trusted. */
export class FileDigests {
  readonly #host: Host;
  readonly stamps: Stamps;
  #buffer: Buffer | null = null;

  constructor(host: Host, stamps: Stamps) {
    this.#host = host;
    this.stamps = stamps;
  }

  /** Null when `path` is no regular file (links are followed: a compiler reads through them). Throws what reading throws. */
  digest(path: string): FileDigest | null {
    const { files, clock } = this.#host;
    const found = files.stat(path);
    if (found === null || found.type !== 'file') return null;
    const settled = isSettled(found, clock.nowMs());
    const stampable = settled && found.bytes >= MIN_STAMPED_BYTES;
    const realPath = files.realpath(path);
    const known = stampable ? this.stamps.get('digest', realPath, found) : null;
    if (known !== null && isDigest(known)) return { path, digest: known, stat: found, settled };
    const digest = this.#hashFile(realPath);
    if (stampable) this.stamps.set('digest', realPath, found, digest);
    return { path, digest, stat: found, settled };
  }

  /** The same, and null for what cannot be read: a file that cannot be read is not what it was. */
  digestOrNull(path: string): FileDigest | null {
    try {
      return this.digest(path);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }

  #hashFile(path: string): Digest {
    this.#buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
    const buffer = this.#buffer;
    const { files, hash } = this.#host;
    const state = hash.create();
    withFile(files, { path, flags: 'read' }, (fd) => {
      for (let position = 0; ;) {
        const count = files.readAt(fd, buffer, buffer.byteLength, position);
        if (count > 0) state.update(buffer.subarray(0, count));
        if (count < buffer.byteLength) return;
        position += count;
      }
    });
    return digestOfBytes(state.digest());
  }
}
