import { basename, dirname, join } from 'node:path';
import { withFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';

/** Mode bits before the umask, as a compiler would create its output. */
const PLAIN_MODE = 0o666;
const EXECUTABLE_MODE = 0o777;
const COPY_BYTES = 1_048_576;
/** UTF-16 units of an output's name in that of its temporary file: of three bytes each they leave room below 255. */
const MAX_STEM = 64;

/** An output and what it consists of. */
export interface Deliverable {
  /** Absolute. */
  readonly path: string;
  readonly executable: boolean;
  /** The bytes, or the file that holds them. */
  readonly content: Uint8Array | { readonly file: string };
}

/**
 * Writes an output where the user wants it. Nothing or a regular file: a temporary file in the same folder and a
 * rename, so that a reader sees the old or the new output whole; the time is now, the mode follows the umask. A link:
 * its target, in the same way. Anything else (`/dev/null`, a pipe) is written in place.
 * @throws CacheError environment naming the path.
 */
export function deliver(host: Host, output: Deliverable): void {
  try {
    const target = resolveLink(host, output.path);
    const there = host.files.lstat(target);
    if (there === null || there.type === 'file') replace(host, target, output);
    else if (there.type === 'directory') throw folderError(output.path);
    else writeThrough(host, target, output.content);
  } catch (error) {
    const errno = errnoOf(error);
    if (error instanceof CacheError || errno === null) throw error;
    throw new CacheError('environment', `the output "${output.path}" cannot be written (${errno})`, {
      hint: 'Make its folder writable and run the command again.',
      cause: error,
    });
  }
}

/** The error for a folder where a file is expected. */
export function folderError(path: string): CacheError {
  return new CacheError('usage', `expected a file for the output "${path}", found a directory`, {
    hint: 'Name each file that the compiler writes: outputs are files.',
  });
}

/** A link's target, existing or not; other paths as they are. */
function resolveLink(host: Host, path: string): string {
  const { files } = host;
  if (files.lstat(path)?.type !== 'link') return path;
  try {
    return files.realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    // Folders first, each as the system follows it: `..` behind a link leads out of the link's target.
    const target = files.readLink(path);
    const full = target.startsWith('/') ? target : `${files.realpath(dirname(path))}/${target}`;
    return resolveLink(host, join(files.realpath(dirname(full)), basename(full)));
  }
}

function replace(host: Host, target: string, output: Deliverable): void {
  const { files, random } = host;
  const temporary = join(
    dirname(target),
    `.${basename(target).slice(0, MAX_STEM)}.${random.hex(6)}.vyre-cache`,
  );
  try {
    const mode = output.executable ? EXECUTABLE_MODE : PLAIN_MODE;
    withFile(files, { path: temporary, flags: 'createNew', mode }, (fd) => {
      writeContent(host, fd, output.content);
    });
    files.rename(temporary, target);
  } catch (error) {
    removeQuietly(host, temporary);
    // A folder that takes no new files may still hold a file that may be written, as a compiler would.
    const errno = errnoOf(error);
    if ((errno === 'EACCES' || errno === 'EPERM') && files.lstat(target) !== null) {
      writeThrough(host, target, output.content);
      return;
    }
    throw error;
  }
}

function writeThrough(host: Host, target: string, content: Deliverable['content']): void {
  withFile(host.files, { path: target, flags: 'deliver', mode: PLAIN_MODE }, (fd) => {
    writeContent(host, fd, content);
  });
}

function writeContent(host: Host, fd: number, content: Deliverable['content']): void {
  const { files } = host;
  if (content instanceof Uint8Array) {
    files.write(fd, content);
    return;
  }
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  withFile(files, { path: content.file, flags: 'read' }, (source) => {
    for (let position = 0; ;) {
      const count = files.readAt(source, buffer, COPY_BYTES, position);
      files.write(fd, buffer.subarray(0, count));
      if (count < COPY_BYTES) return;
      position += count;
    }
  });
}

function removeQuietly(host: Host, path: string): void {
  try {
    host.files.unlink(path);
  } catch {
    // Best effort: it was never created, or its folder is gone.
  }
}

/** What identifies one state of a file: a compiler that writes it changes at least one of these. */
export function sameState(a: FileStat, b: FileStat): boolean {
  return (
    a.inode === b.inode &&
    a.device === b.device &&
    a.bytes === b.bytes &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs
  );
}
