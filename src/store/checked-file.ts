import { writeNewFile } from '../host/files.js';
import { withRegularFile, type SmallRead } from '../host/regular-file.js';
import type { Host } from '../host/host.js';
import { decoding, parseJson, Reader } from '../model/decoder.js';
import { entryChunks, FOOTER_BYTES, splitEntry } from '../model/entry.js';
import { errnoOf } from '../model/error.js';

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
 * A small JSON document of our private state: the text, then its 32-byte BLAKE3, like an entry, or what `checksum` makes
 * of it. Anything damaged is as if it were not there.
 */
export function readChecked<T>(
  host: Host,
  file: {
    readonly path: string;
    readonly maxBytes: number;
    readonly known?: KnownDocuments<T>;
    readonly checksum?: Host['checksum'];
  },
  decode: (reader: Reader) => T,
): T | null {
  const { known, checksum } = file;
  const accepts = (payload: Buffer, footer: Buffer): boolean =>
    checksum === undefined
      ? host.hash.matches(payload, footer)
      : Buffer.compare(checksum(payload), footer) === 0;
  return withRegularFile(host.files, file, (read) => decodeChecked({ read, known, accepts }, decode));
}

function decodeChecked<T>(
  file: {
    readonly read: SmallRead;
    readonly known: KnownDocuments<T> | undefined;
    readonly accepts: (payload: Buffer, footer: Buffer) => boolean;
  },
  decode: (reader: Reader) => T,
): T | null {
  const { read, known: documents, accepts } = file;
  if (!read.ok || read.bytes.byteLength < FOOTER_BYTES) return null;
  const { payload, footer } = splitEntry(read.bytes);
  if (!accepts(payload, footer)) return null;
  const known = documents?.get(footer);
  if (known !== undefined) return known;
  const decoded = decoding(() => decode(new Reader(parseJson(payload.toString('utf8')), 'document')));
  if (!decoded.ok) return null;
  documents?.add(footer, decoded.value);
  return decoded.value;
}

/**
 * Writes a document whole, by rename. Of two writers the last one wins. Best effort: what is not remembered is found
 * out again. @returns false when it could not be written.
 */
export function writeChecked(
  host: Host,
  file: {
    readonly path: string;
    readonly folder: string;
    readonly staged: string;
    readonly checksum?: Host['checksum'];
  },
  document: unknown,
): boolean {
  const { files, hash } = host;
  const { checksum = (bytes) => hash.digest(bytes) } = file;
  const body = Buffer.from(JSON.stringify(document), 'utf8');
  const footer = checksum(body);
  const write = (): void => {
    writeNewFile(files, file.staged, entryChunks(body, footer));
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
