import { readRegularFile, writeNewFile } from '../host/files.js';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { decoding, parseJson, Reader } from '../model/decoder.js';
import { entryChunks, FOOTER_BYTES, splitEntry } from '../model/entry.js';
import { errnoOf } from '../model/error.js';

/**
 * A small JSON document of our private state: the text, then its 32-byte BLAKE3, like an entry. Anything damaged is as
 * if it were not there.
 */
export function readChecked<T>(
  host: Host,
  file: { readonly path: string; readonly maxBytes: number },
  decode: (reader: Reader) => T,
): T | null {
  const read = readRegularFile(host.files, file.path, file.maxBytes);
  if (!read.ok || read.bytes.byteLength < FOOTER_BYTES) return null;
  const { payload, footer } = splitEntry(read.bytes);
  if (Buffer.compare(hashChunks(host.hash, [payload]), footer) !== 0) return null;
  const decoded = decoding(() => decode(new Reader(parseJson(payload.toString('utf8')), 'document')));
  return decoded.ok ? decoded.value : null;
}

/**
 * Writes a document whole, by rename. Of two writers the last one wins. Best effort: what is not remembered is found
 * out again. @returns false when it could not be written.
 */
export function writeChecked(
  host: Host,
  file: { readonly path: string; readonly folder: string; readonly staged: string },
  document: unknown,
): boolean {
  const { files, hash } = host;
  const body = Buffer.from(JSON.stringify(document), 'utf8');
  try {
    files.makeDirectories(file.folder);
    writeNewFile(files, file.staged, entryChunks(body, hashChunks(hash, [body])));
    files.rename(file.staged, file.path);
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
