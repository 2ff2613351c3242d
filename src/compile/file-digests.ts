import { withFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import { digestOfBytes, isDigest, type Digest } from '../model/fingerprint.js';
import { sameState } from './file-state.js';
import { isSettled, type Stamps } from './stamps.js';

const CHUNK_BYTES = 262_144;
/** Hashing a smaller file costs no more than keeping its stamp. */
const MIN_STAMPED_BYTES = 65_536;
/** Digests that one process remembers, whatever the size of the file: some 300 bytes each. */
const MAX_KNOWN = 4096;

/** A file's digest and the state it was in. */
export interface FileDigest {
  readonly path: string;
  readonly digest: Digest;
  readonly stat: FileStat;
  /** False when the file was so young that a later change need not show in its times. */
  readonly settled: boolean;
}

interface Hashed {
  readonly digest: Digest;
  /** False when another file was opened than the one that was looked at. */
  readonly isOfState: boolean;
}

/**
 * Digests of files. A file whose times would show a change is hashed once for as long as it stays as it is: large ones
 * by the stamps, those that this process has hashed by its memory.
 */
export class FileDigests {
  readonly #host: Host;
  readonly stamps: Stamps;
  #buffer: Buffer | null = null;
  /** By path, each settled when it was hashed. */
  readonly #known = new Map<string, FileDigest>();

  constructor(host: Host, stamps: Stamps) {
    this.#host = host;
    this.stamps = stamps;
  }

  /**
   * Null when `path` is no regular file (links are followed: a compiler reads through them). Throws what reading throws.
   * @param found what a look at it has found just now, links followed.
   */
  digest(path: string, found = this.#host.files.stat(path)): FileDigest | null {
    const { clock } = this.#host;
    if (found === null || found.type !== 'file') return null;
    const known = this.#known.get(path);
    if (known !== undefined && sameState(known.stat, found)) return known;
    const settled = isSettled(found, clock.nowMs());
    const isStamped = settled && found.bytes >= MIN_STAMPED_BYTES;
    const hashed = isStamped ? this.#stampedDigest(path, found) : this.#hashFile(path, found);
    const result = { path, digest: hashed.digest, stat: found, settled };
    if (settled && hashed.isOfState) this.#keep(result);
    return result;
  }

  #keep(digest: FileDigest): void {
    this.#known.delete(digest.path);
    this.#known.set(digest.path, digest);
    if (this.#known.size <= MAX_KNOWN) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  #stampedDigest(path: string, stat: FileStat): Hashed {
    const realPath = this.#host.files.realpath(path);
    const known = this.stamps.get('digest', realPath, stat);
    if (known !== null && isDigest(known)) return { digest: known, isOfState: true };
    const hashed = this.#hashFile(realPath, stat);
    if (hashed.isOfState) this.stamps.set('digest', realPath, stat, hashed.digest);
    return hashed;
  }

  /** The same, and null for what cannot be read: a file that cannot be read is not what it was. */
  digestOrNull(path: string, found?: FileStat | null): FileDigest | null {
    try {
      return this.digest(path, found);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }

  #hashFile(path: string, stat: FileStat): Hashed {
    const { files } = this.#host;
    return withFile(files, { path, flags: 'follow' }, (fd) => {
      const isOfState = sameState(files.fstat(fd), stat);
      return { digest: digestOfBytes(this.#hashOpened(fd, stat.bytes)), isOfState };
    });
  }

  #hashOpened(fd: number, expectedBytes: number): Uint8Array {
    this.#buffer ??= Buffer.allocUnsafe(CHUNK_BYTES);
    const buffer = this.#buffer;
    const { files, hash } = this.#host;
    // A file without a size may be one of `/proc`, which has bytes all the same.
    const enough = expectedBytes === 0 ? CHUNK_BYTES : Math.min(expectedBytes, CHUNK_BYTES);
    const first = files.readAt(fd, buffer, CHUNK_BYTES, 0, enough);
    if (first < CHUNK_BYTES) return hash.digest(buffer.subarray(0, first));
    const state = hash.create();
    state.update(buffer);
    for (let position = first; ;) {
      const count = files.readAt(fd, buffer, CHUNK_BYTES, position);
      if (count > 0) state.update(buffer.subarray(0, count));
      if (count < CHUNK_BYTES) return state.digest();
      position += count;
    }
  }
}
