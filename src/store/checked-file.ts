import { writeNewFile } from '../host/files.js';
import { withRegularFile, type SmallRead } from '../host/regular-file.js';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { decoding, parseJson, Reader } from '../model/decoder.js';
import { entryChunks, FOOTER_BYTES, splitEntry } from '../model/entry.js';
import { errnoOf } from '../model/error.js';
import type { Signing } from '../model/signing.js';

/** Documents by their checksum: the same bytes say the same. The least recently added goes first. */
export class KnownDocuments<T> {
  readonly #documents = new Map<string, T>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(checksum: Buffer): T | undefined {
    return this.#documents.get(checksum.toString('latin1'));
  }

  add(checksum: Buffer, document: T): void {
    this.#documents.set(checksum.toString('latin1'), document);
    for (const oldest of this.#documents.keys()) {
      if (this.#documents.size <= this.#limit) return;
      this.#documents.delete(oldest);
    }
  }
}

/**
 * A small JSON document of our private state: the text, then its 32-byte BLAKE3, like an entry, or with `signing` its
 * MAC. Anything damaged is as if it were not there.
 */
export function readChecked<T>(
  host: Host,
  file: {
    readonly path: string;
    readonly maxBytes: number;
    readonly known?: KnownDocuments<T>;
    readonly signing?: Signing | null;
  },
  decode: (reader: Reader) => T,
): T | null {
  const { known, signing = null } = file;
  return withRegularFile(host.files, file, (read) => decodeChecked(host, { read, known, signing }, decode));
}

function decodeChecked<T>(
  host: Host,
  file: {
    readonly read: SmallRead;
    readonly known: KnownDocuments<T> | undefined;
    readonly signing: Signing | null;
  },
  decode: (reader: Reader) => T,
): T | null {
  const { read, known: documents, signing } = file;
  if (!read.ok || read.bytes.byteLength < FOOTER_BYTES) return null;
  const { payload, footer } = splitEntry(read.bytes);
  const isWhole = signing === null ? host.hash.matches(payload, footer) : signing.accepts([payload], footer);
  if (!isWhole) return null;
  const known = documents?.get(footer);
  if (known !== undefined) return known;
  const decoded = decodeDocument(payload.toString('utf8'), decode);
  if (decoded !== null) documents?.add(footer, decoded);
  return decoded;
}

/** Null for a text that is none. */
export function decodeDocument<T>(text: string, decode: (reader: Reader) => T): T | null {
  const decoded = decoding(() => decode(new Reader(parseJson(text), 'document')));
  return decoded.ok ? decoded.value : null;
}

/**
 * Writes a document whole, by rename. Of two writers the last one wins. Best effort: what is not remembered is found
 * out again. @returns false when it could not be written.
 */
export function writeChecked(
  host: Host,
  file: StagedFile & { readonly signing?: Signing | null },
  document: unknown,
): boolean {
  const body = Buffer.from(JSON.stringify(document), 'utf8');
  const footer = file.signing?.mac([body]) ?? hashChunks(host.hash, [body]);
  return replaceFile(host, file, entryChunks(body, footer));
}

export interface StagedFile {
  readonly path: string;
  readonly folder: string;
  readonly staged: string;
}

/** Writes a file whole, as {@link writeChecked} does. */
export function replaceFile(host: Host, file: StagedFile, chunks: readonly Uint8Array[]): boolean {
  const { files } = host;
  const write = (): void => {
    writeNewFile(files, file.staged, chunks);
    files.rename(file.staged, file.path);
  };
  try {
    try {
      write();
    } catch (error) {
      // Private state may be deleted at any time.
      if (errnoOf(error) !== 'ENOENT') throw error;
      removeQuietly(host, file.staged);
      files.makeDirectories(file.folder);
      write();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    removeQuietly(host, file.staged);
    return false;
  }
}

function removeQuietly(host: Host, path: string): void {
  try {
    host.files.unlink(path);
  } catch {
    // Best effort: the sweep removes what lay in `new/` for a day.
  }
}
