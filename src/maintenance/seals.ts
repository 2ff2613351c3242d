import { join } from 'node:path';
import { withFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { Format } from '../layouts/layout.js';
import { CacheError, errnoOf } from '../model/error.js';
import type { MaintainedRoot } from './maintained-root.js';

const MAGIC = Buffer.from('vyre-cache.seals/1\n\0\0\0\0\0\0\0\0\0\0\0\0\0', 'latin1');
const FOOTER_BYTES = 32;
const KEY_BYTES = 16;
/** A row: 16 bytes of BLAKE3 of the artifact's name, size and time as two f64le, 32 bytes of digest. */
const ROW_BYTES = 64;
const CHUNK_ROWS = 4096;
/** Ten million rows; what is larger was not written by us. */
const MAX_BYTES = 640_000_000 + MAGIC.length + FOOTER_BYTES;

/** What was noted of an artifact without a checksum. */
export interface Seal {
  /** Of all its files together. */
  readonly bytes: number;
  /** Sum of the mtimes of its files. */
  readonly mtimeMs: number;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

export type SealComparison =
  /** Never sealed. */
  | 'absent'
  /** With another size or time than when it was sealed: somebody has written it again. */
  | 'rewritten'
  | 'same'
  /** The size and the time are the same, the bytes are not. */
  | 'changed';

/**
 * Digests of artifacts whose format has no checksum, kept in the state directory: their own directories belong to other
 * programs. 64 bytes an artifact, sorted, with a BLAKE3 behind them; what is damaged counts as never sealed.
 */
export class SealBook {
  readonly #host: Host;
  readonly #folder: string | null;
  readonly #old: Buffer;
  #rows = Buffer.alloc(0);
  #length = 0;

  private constructor(host: Host, folder: string | null, old: Buffer) {
    this.#host = host;
    this.#folder = folder;
    this.#old = old;
  }

  static open(root: MaintainedRoot): SealBook {
    const folder = root.stateFolder();
    const rows = folder === null ? Buffer.alloc(0) : readRows(root, join(folder, 'seals'));
    return new SealBook(root.host, folder, rows);
  }

  /** Of the parts that are sealed. */
  static stampOf(
    { sealedParts }: Format,
    stats: readonly (FileStat | null)[],
  ): Pick<Seal, 'bytes' | 'mtimeMs'> {
    const sealed = sealedParts === undefined ? stats : sealedParts.map((part) => stats[part] ?? null);
    return {
      bytes: sealed.reduce((sum, stat) => sum + (stat?.bytes ?? 0), 0),
      mtimeMs: sealed.reduce((sum, stat) => sum + (stat?.mtimeMs ?? 0), 0),
    };
  }

  get isEmpty(): boolean {
    return this.#old.length === 0;
  }

  compare(name: string, seal: Seal): SealComparison {
    const at = this.#find(this.#key(name));
    if (at < 0) return 'absent';
    const old = this.#old;
    const isSameFile =
      old.readDoubleLE(at + KEY_BYTES) === seal.bytes &&
      old.readDoubleLE(at + KEY_BYTES + 8) === seal.mtimeMs;
    if (!isSameFile) return 'rewritten';
    return old.subarray(at + KEY_BYTES + 16, at + ROW_BYTES).equals(seal.digest) ? 'same' : 'changed';
  }

  /** Starts a new book for at most so many artifacts. */
  begin(count: number): void {
    this.#rows = Buffer.alloc(count * ROW_BYTES);
  }

  note(name: string, seal: Seal): void {
    const at = this.#length * ROW_BYTES;
    this.#rows.set(this.#key(name), at);
    this.#rows.writeDoubleLE(seal.bytes, at + KEY_BYTES);
    this.#rows.writeDoubleLE(seal.mtimeMs, at + KEY_BYTES + 8);
    this.#rows.set(seal.digest, at + KEY_BYTES + 16);
    this.#length += 1;
  }

  /** Takes the old seal over: it still tells what the bytes once were. */
  keep(name: string): void {
    const at = this.#find(this.#key(name));
    if (at < 0) return;
    this.#rows.set(this.#old.subarray(at, at + ROW_BYTES), this.#length * ROW_BYTES);
    this.#length += 1;
  }

  #key(name: string): Buffer {
    const state = this.#host.hash.create();
    state.update(Buffer.from(name, 'utf8'));
    return Buffer.from(state.digest().subarray(0, KEY_BYTES));
  }

  /** Where the row of a key begins; -1 when there is none. */
  #find(key: Buffer): number {
    const old = this.#old;
    let low = 0;
    let high = old.length / ROW_BYTES;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * ROW_BYTES;
      const order = old.compare(key, 0, KEY_BYTES, at, at + KEY_BYTES);
      if (order === 0) return at;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  /** @throws CacheError environment when there is no place to keep seals. */
  demandFolder(): string {
    if (this.#folder !== null) return this.#folder;
    throw new CacheError('environment', 'expected a state directory to keep seals in, got none', {
      hint: 'Set HOME or XDG_STATE_HOME.',
    });
  }

  /** Takes over every old seal of what was not seen this time: it may be there all the same. */
  keepRest(): void {
    const noted = new Set<string>();
    for (let row = 0; row < this.#length; row += 1) noted.add(keyText(this.#rows, row * ROW_BYTES));
    const rest: Buffer[] = [];
    for (let at = 0; at < this.#old.length; at += ROW_BYTES) {
      if (!noted.has(keyText(this.#old, at))) rest.push(this.#old.subarray(at, at + ROW_BYTES));
    }
    this.#rows = Buffer.concat([this.#rows.subarray(0, this.#length * ROW_BYTES), ...rest]);
    this.#length += rest.length;
  }

  /**
   * Puts the new book in the place of the old one.
   * @throws CacheError environment when there is no state directory, or it cannot be written.
   */
  save(): void {
    const folder = this.demandFolder();
    try {
      this.#host.files.makeDirectories(folder);
      this.#replace(join(folder, 'seals'));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      throw new CacheError('environment', `the seals cannot be kept in "${folder}" (${errno})`, {
        cause: error,
      });
    }
  }

  #replace(path: string): void {
    const { files, random } = this.#host;
    const staged = `${path}.${random.hex(8)}`;
    try {
      this.#write(staged);
      files.rename(staged, path);
    } catch (error) {
      files.removeTree(staged);
      throw error;
    }
  }

  #write(path: string): void {
    const { files, hash } = this.#host;
    const state = hash.create();
    withFile(files, { path, flags: 'createNew' }, (fd) => {
      const write = (bytes: Uint8Array): void => {
        state.update(bytes);
        files.write(fd, bytes);
      };
      write(MAGIC);
      for (const chunk of this.#sorted()) write(chunk);
      files.write(fd, state.digest());
      files.sync(fd);
    });
  }

  *#sorted(): Generator<Buffer> {
    const rows = this.#rows;
    const order = Uint32Array.from({ length: this.#length }, (_, index) => index * ROW_BYTES);
    order.sort((a, b) => rows.compare(rows, b, b + KEY_BYTES, a, a + KEY_BYTES));
    for (let start = 0; start < order.length; start += CHUNK_ROWS) {
      const chunk = order.subarray(start, start + CHUNK_ROWS);
      yield Buffer.concat(Array.from(chunk, (at) => rows.subarray(at, at + ROW_BYTES)));
    }
  }
}

function keyText(rows: Buffer, at: number): string {
  return rows.toString('latin1', at, at + KEY_BYTES);
}

/** The rows of a book that is whole; none where it is absent or damaged. */
function readRows(root: MaintainedRoot, path: string): Buffer {
  const { files, hash } = root.host;
  try {
    if (files.lstat(path)?.type !== 'file') return Buffer.alloc(0);
    const bytes = withFile(files, { path, flags: 'read' }, (fd) => {
      const size = files.fstat(fd).bytes;
      if (size > MAX_BYTES) return null;
      const buffer = Buffer.alloc(size);
      return files.readAt(fd, buffer, size, 0) === size ? buffer : null;
    });
    const end = (bytes?.length ?? 0) - FOOTER_BYTES;
    if (bytes !== null && end >= MAGIC.length && (end - MAGIC.length) % ROW_BYTES === 0) {
      const isWhole = hash.matches(bytes.subarray(0, end), bytes.subarray(end));
      if (isWhole && bytes.subarray(0, MAGIC.length).equals(MAGIC)) return bytes.subarray(MAGIC.length, end);
    }
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
  const message = `the seals at "${path}" are damaged and count as absent; verify --seal makes them anew`;
  root.addEvent({ kind: 'trouble', reason: 'seals-damaged', fingerprint: null, message });
  return Buffer.alloc(0);
}
