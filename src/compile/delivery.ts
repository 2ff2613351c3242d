import { basename, dirname, join } from 'node:path';
import { withFile, type Files, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';
import { sameState } from './file-state.js';
import { replaceFile } from './replacement.js';

/** Mode bits before the umask, as a compiler would create its output. */
const PLAIN_MODE = 0o666;
const EXECUTABLE_MODE = 0o777;
const COPY_BYTES = 1_048_576;
/** Between two tries to write to a pipe: soon for a reader that is busy, seldom for one that is not there. */
const FIRST_WAIT_MS = 1;
const LAST_WAIT_MS = 50;
/** Where a rename cannot replace a file that may still be written in place, as a compiler would write it. */
const IN_PLACE: ReadonlySet<string> = new Set([
  // A folder that takes no new files.
  'EACCES',
  'EPERM',
  'EROFS',
  // A file that is a mount point of its own, as containers have them.
  'EBUSY',
  'EXDEV',
  // The path of the temporary file is longer than that of the output.
  'ENAMETOOLONG',
]);

/** An output and what it consists of. */
export interface Deliverable {
  /** Absolute. */
  readonly path: string;
  readonly executable: boolean;
  /** The bytes, or the file that holds them. */
  readonly content: Uint8Array | { readonly file: string };
}

export interface DeliveryOptions {
  readonly signal?: AbortSignal;
  /** Called before anything is written: from then on an interruption may have something to clean up. */
  onWrite?(): void;
}

/**
 * Puts an output where the user wants it: as {@link renewOutput} or {@link writeOutput} does.
 * @throws CacheError environment naming the path.
 */
export async function deliver(host: Host, output: Deliverable, options: DeliveryOptions = {}): Promise<void> {
  if (renewOutput(host, output) === null) await writeOutput(host, output, options);
}

/**
 * A file that is what would be delivered already, byte for byte and by its mode, gets the time of its delivery and
 * nothing else: a rename over a file makes some file systems write the new one to the disk at once.
 * @returns the file as it was; null where anything differs, other names lead to it, or it cannot be changed.
 */
export function renewOutput(host: Host, output: Deliverable): FileStat | null {
  try {
    const there = host.files.lstat(output.path);
    return there?.type === 'file' && renew(host, output, there) ? there : null;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/**
 * Writes an output where the user wants it. Nothing or a regular file: a temporary file in the same folder and a
 * rename, so that a reader sees the old or the new output whole; the time is now, the mode follows the umask. A link:
 * its target, in the same way. Anything else (`/dev/null`, a pipe, `/dev/stdout`) is written in place; a pipe is waited
 * for without blocking until somebody reads it or the signal comes.
 * @throws CacheError environment naming the path.
 */
export async function writeOutput(
  host: Host,
  output: Deliverable,
  options: DeliveryOptions = {},
): Promise<void> {
  if (writeOutputNow(host, output, options)) return;
  options.onWrite?.();
  try {
    // By the path as given: what a link of `/proc` leads to has no path of its own.
    await new Stream(host, output.path, options.signal).deliver(output.content);
  } catch (error) {
    throw asDeliveryError(output.path, error);
  }
}

/** {@link writeOutput} to all but pipes and devices, which have to be waited for: false for those, and nothing is done. */
export function writeOutputNow(
  host: Host,
  output: Deliverable,
  options: Pick<DeliveryOptions, 'onWrite'> = {},
): boolean {
  try {
    const own = host.files.lstat(output.path);
    const isLink = own?.type === 'link';
    const there = isLink ? host.files.stat(output.path) : own;
    if (there?.type === 'directory') throw folderError(output.path);
    if (there?.type === 'other') return false;
    options.onWrite?.();
    if (isLink && DESCRIPTOR.test(output.path)) writeInPlace(host, output.path, output);
    else replace(host, isLink ? resolveLink(host, output.path) : output.path, output);
    return true;
  } catch (error) {
    throw asDeliveryError(output.path, error);
  }
}

function asDeliveryError(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  return error instanceof CacheError || errno === null ? error : deliveryError(path, errno, error);
}

/** An output that could not be put into its place. */
export class DeliveryError extends CacheError {}

function deliveryError(path: string, errno: string, cause: unknown): DeliveryError {
  if (errno === 'ELOOP') {
    return new DeliveryError(
      'environment',
      `expected a file for the output "${path}", found links in a circle`,
      {
        hint: 'Remove the link, or name the file that it should lead to.',
        cause,
      },
    );
  }
  return new DeliveryError('environment', `the output "${path}" cannot be written (${errno})`, {
    ...(errno === 'EPIPE' ? {} : { hint: 'Make its folder writable and run the command again.' }),
    cause,
  });
}

/** The error for a folder where a file is expected. */
export function folderError(path: string): CacheError {
  return new CacheError('usage', `expected a file for the output "${path}", found a directory`, {
    hint: 'Name each file that the compiler writes: outputs are files.',
  });
}

/** `/dev/stdout` and its like: a rename would leave the descriptor of the one who opened the file with the old one. */
const DESCRIPTOR = /^\/(?:dev|proc)\//;

function renew(host: Host, output: Deliverable, there: FileStat): boolean {
  const { files, user, clock } = host;
  const { content, executable, path } = output;
  if (!(content instanceof Uint8Array) || there.bytes !== content.byteLength) return false;
  if (there.uid !== user.uid || there.links !== 1) return false;
  const umask = host.umask();
  if (umask === null || there.mode !== ((executable ? EXECUTABLE_MODE : PLAIN_MODE) & ~umask)) return false;
  return withFile(files, { path, flags: 'read' }, (fd) => {
    if (!sameState(files.fstat(fd), there) || !holds(files, fd, content)) return false;
    // The end of this millisecond: the time of an input that was written within it must not be later.
    const atMs = clock.nowMs() + 1;
    files.setTimes(fd, atMs, atMs);
    return true;
  });
}

/** True when an open file of as many bytes holds these. */
function holds(files: Files, fd: number, content: Uint8Array): boolean {
  const buffer = Buffer.allocUnsafe(Math.min(content.byteLength, COPY_BYTES));
  for (let position = 0; position < content.byteLength; position += buffer.byteLength) {
    const expected = content.subarray(position, position + buffer.byteLength);
    const count = files.readAt(fd, buffer, expected.byteLength, position);
    if (Buffer.compare(buffer.subarray(0, count), expected) !== 0) return false;
  }
  return true;
}

function writeInPlace(host: Host, path: string, output: Deliverable): void {
  withFile(host.files, { path, flags: 'deliver' }, (fd) => {
    for (const chunk of chunksOf(host, output.content)) host.files.write(fd, chunk);
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
  const mode = output.executable ? EXECUTABLE_MODE : PLAIN_MODE;
  try {
    replaceFile(host, { target, mode }, (fd) => {
      for (const chunk of chunksOf(host, output.content)) host.files.write(fd, chunk);
    });
  } catch (error) {
    if (!IN_PLACE.has(errnoOf(error) ?? '') || host.files.lstat(target)?.type !== 'file') throw error;
    writeInPlace(host, target, output);
  }
}

/** The bytes in order; each chunk is valid until the next one is asked for. */
function* chunksOf({ files }: Host, content: Deliverable['content']): Generator<Uint8Array> {
  if (content instanceof Uint8Array) {
    yield content;
    return;
  }
  const source = files.open(content.file, 'read');
  try {
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (let position = 0; ;) {
      const count = files.readAt(source, buffer, COPY_BYTES, position);
      yield buffer.subarray(0, count);
      if (count < COPY_BYTES) return;
      position += count;
    }
  } finally {
    files.close(source);
  }
}

/** A pipe or a device. Neither opening nor writing ever blocks: a signal must be able to end the wait. */
class Stream {
  readonly #host: Host;
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  #waitMs = FIRST_WAIT_MS;

  constructor(host: Host, path: string, signal: AbortSignal | undefined) {
    this.#host = host;
    this.#path = path;
    this.#signal = signal;
  }

  async deliver(content: Deliverable['content']): Promise<void> {
    const fd = await this.#open();
    try {
      for (const chunk of chunksOf(this.#host, content)) await this.#write(fd, chunk);
    } finally {
      this.#host.files.close(fd);
    }
  }

  async #open(): Promise<number> {
    const { files } = this.#host;
    for (;;) {
      try {
        return files.open(this.#path, 'deliverStream');
      } catch (error) {
        // Nobody reads the pipe yet. A socket and a device without a driver say the same, for ever.
        if (errnoOf(error) !== 'ENXIO' || !files.isPipe(this.#path)) throw error;
      }
      await this.#pause();
    }
  }

  async #write(fd: number, chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.byteLength;) {
      const count = this.#host.files.writeSome(fd, chunk.subarray(done));
      done += count;
      if (count === 0) await this.#pause();
      else this.#waitMs = FIRST_WAIT_MS;
    }
  }

  async #pause(): Promise<void> {
    if (this.#signal?.aborted === true) {
      throw new CacheError('environment', `the output "${this.#path}" was not written: nobody read it`);
    }
    await this.#host.clock.sleep(this.#waitMs);
    this.#waitMs = Math.min(2 * this.#waitMs, LAST_WAIT_MS);
  }
}
