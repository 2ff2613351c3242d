import { withScannedFile, type Files } from '../host/files.js';
import type { HashState } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Signing } from '../model/signing.js';
import type { ArtifactReader, PartRead } from './artifact-reader.js';
import type { Format } from './layout.js';
import { damaged, type Verdict } from './verdict.js';

/** Large enough for full speed, small enough for the second-level cache. */
const CHUNK_BYTES = 131_072;

/** Which artifact is examined. */
export interface Subject {
  readonly format: Format;
  /** Absolute. */
  readonly folder: string;
  readonly stem: string;
  /** The bit of each part that is a regular file, as far as the listing of its folder told. */
  readonly present: number;
}

export interface ExaminationOptions {
  /** The largest payload of a vyre entry. */
  readonly maxPayloadBytes: number;
  /** What judges the records of entries; null or left out: no key is demanded. */
  readonly signing?: Signing | null;
  /** True: the bytes that are read are hashed for {@link Examination.digest}. */
  readonly takesDigest: boolean;
}

/**
 * Reads artifacts one after the other in bounded memory, with one buffer for all of them. Whatever lies in the place of
 * a part, nothing is followed and nothing blocks.
 */
export class Examination implements ArtifactReader {
  readonly host: Host;
  readonly maxPayloadBytes: number;
  readonly signing: Signing | null;
  /** Of the artifact at hand, read so far. */
  bytesRead = 0;
  readonly #takesDigest: boolean;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #bufferStart = this.#buffer;
  #subject: Subject | null = null;
  #digest: HashState | null = null;

  constructor(host: Host, options: ExaminationOptions) {
    this.host = host;
    this.maxPayloadBytes = options.maxPayloadBytes;
    this.signing = options.signing ?? null;
    this.#takesDigest = options.takesDigest;
  }

  /** Examines one artifact. Never throws for what lies on the disk. */
  examine(subject: Subject): Verdict {
    this.#subject = subject;
    this.#digest = this.#takesDigest ? this.host.hash.create() : null;
    this.bytesRead = 0;
    try {
      return subject.format.check(this);
    } catch (error) {
      return verdictOfError(error);
    }
  }

  get #current(): Subject {
    if (this.#subject === null) throw new Error('no artifact is being examined');
    return this.#subject;
  }

  get stem(): string {
    return this.#current.stem;
  }

  get folderName(): string {
    return this.#current.folder.slice(this.#current.folder.lastIndexOf('/') + 1);
  }

  has(part: number): boolean {
    return (this.#current.present & (1 << part)) !== 0;
  }

  path(part: number): string {
    const { folder, format, stem } = this.#current;
    return `${folder}/${partName(format, part, stem)}`;
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  bufferStart(bytes: number): Buffer {
    // To make a view costs as much as to compare a digest, and many caches hold artifacts of one size.
    if (this.#bufferStart.byteLength !== bytes) this.#bufferStart = this.#buffer.subarray(0, bytes);
    return this.#bufferStart;
  }

  read(part: number, maxBytes: number): PartRead {
    const chunks: Buffer[] = [];
    const verdict = this.stream(part, maxBytes, (chunk) => {
      chunks.push(Buffer.from(chunk));
      return null;
    });
    return verdict === null ? { ok: true, bytes: Buffer.concat(chunks) } : { ok: false, verdict };
  }

  stream(part: number, maxBytes: number, sink?: (chunk: Buffer) => Verdict | null): Verdict | null {
    const { files } = this.host;
    return withScannedFile(files, this.path(part), (fd) => {
      const stat = files.fstat(fd);
      if (stat.type !== 'file') return damaged('not-a-file');
      if (stat.bytes > maxBytes) return damaged('oversized');
      return this.#chunks(files, { fd, maxBytes, sink });
    });
  }

  #chunks(
    files: Files,
    reading: {
      readonly fd: number;
      readonly maxBytes: number;
      readonly sink: ((chunk: Buffer) => Verdict | null) | undefined;
    },
  ): Verdict | null {
    const { fd, maxBytes, sink } = reading;
    for (let position = 0; ;) {
      const count = files.readAt(fd, this.#buffer, CHUNK_BYTES, position);
      position += count;
      if (position > maxBytes) return damaged('oversized');
      const chunk = this.#buffer.subarray(0, count);
      this.noteRead(chunk);
      const verdict = count === 0 ? null : (sink?.(chunk) ?? null);
      if (verdict !== null) return verdict;
      if (count < CHUNK_BYTES) return null;
    }
  }

  noteRead(chunk: Uint8Array): void {
    this.bytesRead += chunk.byteLength;
    this.#digest?.update(chunk);
  }

  /** 32 bytes: BLAKE3 of all that was read, in the order of reading. Ends the taking of it. */
  digest(): Uint8Array {
    if (this.#digest === null) throw new Error('no digest is being taken');
    return this.#digest.digest();
  }
}

export function partName(format: Format, part: number, stem: string): string {
  const affixes = format.parts[part];
  if (affixes === undefined) throw new Error(`the format ${format.name} has no part ${part}`);
  return `${affixes.prefix}${stem}${affixes.suffix}`;
}

/** What an error of a file primitive says about an artifact. @throws what is none. */
export function verdictOfError(error: unknown): Verdict {
  const errno = errnoOf(error);
  if (errno === null) throw error;
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return { kind: 'gone' };
  // ELOOP: a link. ENXIO: a socket. EISDIR: a folder.
  if (errno === 'ELOOP' || errno === 'ENXIO' || errno === 'EISDIR') return damaged('not-a-file');
  return { kind: 'unreadable', errno };
}
