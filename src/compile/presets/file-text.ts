import type { Files } from '../../host/files.js';
import { readRegularFile } from '../../host/regular-file.js';

/** A source or a list above 64 MiB is not read: its compilation is not cached. */
const MAX_TEXT_BYTES = 67_108_864;

/** The text of a file, links followed as a compiler does; null when it is no regular file or cannot be read. */
export function readFollowing(files: Files, path: string): string | null {
  let realPath: string;
  try {
    realPath = files.realpath(path);
  } catch {
    // Best effort: what is not there has no text.
    return null;
  }
  const read = readRegularFile(files, realPath, MAX_TEXT_BYTES);
  return read.ok ? read.bytes.toString('utf8') : null;
}
