import { errnoOf } from '../model/error.js';
import type { Files, FileStat } from './files.js';

export type SmallRead =
  | { readonly ok: true; readonly bytes: Buffer; readonly stat: FileStat }
  | { readonly ok: false; readonly reason: 'absent' | 'not-a-file' | 'oversized' | 'unreadable' };

/**
 * Reads a whole regular file of at most `maxBytes`, whatever lies in its place: links, FIFOs, devices and folders are
 * `not-a-file`, a file that is or grows larger is `oversized`. Never blocks and never follows a link.
 */
export function readRegularFile(files: Files, path: string, maxBytes: number, into?: Buffer): SmallRead {
  try {
    return readChecked(files, { path, maxBytes, into });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { ok: false, reason: 'absent' };
    // ELOOP: a link. ENXIO: a socket. Both appeared after the lstat.
    if (errno === 'ELOOP' || errno === 'ENXIO') return { ok: false, reason: 'not-a-file' };
    return { ok: false, reason: 'unreadable' };
  }
}

/** Larger files get memory of their own. */
const SCRATCH_BYTES = 65_536;
let scratch: Buffer | null = null;

/** {@link readRegularFile} for bytes that nobody keeps: they are valid until `work` returns. */
export function withRegularFile<T>(
  files: Files,
  file: { readonly path: string; readonly maxBytes: number },
  work: (read: SmallRead) => T,
): T {
  const buffer = scratch ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  // Work that reads another file meanwhile gets a buffer of its own.
  scratch = null;
  try {
    return work(readRegularFile(files, file.path, file.maxBytes, buffer));
  } finally {
    scratch = buffer;
  }
}

/** A file that is replaced by a rename between the check and the open is looked at again; nobody renames for ever. */
const READ_TRIES = 5;

interface Reading {
  readonly path: string;
  readonly maxBytes: number;
  /** Where the bytes go, if there is room. */
  readonly into: Buffer | undefined;
}

function readChecked(files: Files, reading: Reading): SmallRead {
  const { path, maxBytes } = reading;
  for (let attempt = 0; attempt < READ_TRIES; attempt += 1) {
    const before = files.lstat(path);
    if (before === null) return { ok: false, reason: 'absent' };
    if (before.type !== 'file') return { ok: false, reason: 'not-a-file' };
    if (before.bytes > maxBytes) return { ok: false, reason: 'oversized' };
    const fd = files.open(path, 'read');
    try {
      const stat = files.fstat(fd);
      // Another file than the one that was checked is looked at again.
      if (stat.inode === before.inode && stat.device === before.device)
        return readOpened(files, { fd, stat }, reading);
    } finally {
      files.close(fd);
    }
  }
  return { ok: false, reason: 'unreadable' };
}

function readOpened(
  files: Files,
  { fd, stat }: { readonly fd: number; readonly stat: FileStat },
  { maxBytes, into }: Reading,
): SmallRead {
  if (stat.type !== 'file') return { ok: false, reason: 'not-a-file' };
  if (stat.bytes > maxBytes) return { ok: false, reason: 'oversized' };
  // One byte more than the file should have shows that it grew; never more than the bound plus one is read (B31).
  const length = stat.bytes + 1;
  const buffer = into !== undefined && into.byteLength >= length ? into : Buffer.allocUnsafe(length);
  const count = files.readAt(fd, buffer, length, 0, stat.bytes || 1);
  if (count <= stat.bytes) return { ok: true, bytes: buffer.subarray(0, count), stat };
  return readGrown(files, fd, maxBytes);
}

function readGrown(files: Files, fd: number, maxBytes: number): SmallRead {
  const limit = maxBytes + 1;
  const buffer = Buffer.allocUnsafe(limit);
  const count = files.readAt(fd, buffer, limit, 0);
  if (count > maxBytes) return { ok: false, reason: 'oversized' };
  return { ok: true, bytes: buffer.subarray(0, count), stat: files.fstat(fd) };
}
