import { basename, dirname, join } from 'node:path';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';

const WHOLE_FILE = { offset: 0, length: 1 } as const;
const NAME_DIGITS = 16;

/**
 * Puts a file in the place of another whole: it is written under a temporary name in the same folder and renamed. The
 * name follows from that of the output, so that whoever delivers it next removes what a killed process left; a lock
 * tells that from the file of a living one, beside which a random name is taken.
 * @throws the errno error of the step that failed; no temporary file stays then.
 */
export function replaceFile(
  host: Host,
  { target, mode }: { readonly target: string; readonly mode: number },
  write: (fd: number) => void,
): void {
  const { files } = host;
  const { fd, path } = createTemporary(host, target, mode);
  try {
    write(fd);
    files.rename(path, target);
  } catch (error) {
    removeQuietly(host, path);
    throw error;
  } finally {
    files.close(fd);
  }
}

interface Temporary {
  readonly fd: number;
  readonly path: string;
}

function createTemporary(host: Host, target: string, mode: number): Temporary {
  const named = host.locks.available ? createNamed(host, temporaryPath(host, target), mode) : null;
  if (named !== null) return named;
  const path = pathOf(target, host.random.hex(NAME_DIGITS / 2));
  return { fd: host.files.open(path, 'createNew', mode), path };
}

/** Under which name an output is written unless somebody writes it already. */
export function temporaryPath({ hash }: Pick<Host, 'hash'>, target: string): string {
  const digest = hash.digest(Buffer.from(basename(target))).toString('hex');
  return pathOf(target, digest.slice(0, NAME_DIGITS));
}

/** Short: the name of the output itself may leave no room for more. */
function pathOf(target: string, unique: string): string {
  return join(dirname(target), `.${unique}.vyre-cache`);
}

/** Null while another process works under this name, and where nothing can be locked. */
function createNamed(host: Host, path: string, mode: number): Temporary | null {
  const fd = openNew(host, path, mode) ?? (removeAbandoned(host, path) ? openNew(host, path, mode) : null);
  if (fd === null) return null;
  try {
    if (isOwned(host, { fd, path })) return { fd, path };
    // Whoever took it for abandoned, before it was locked, has removed it or is about to.
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    removeQuietly(host, path);
  }
  host.files.close(fd);
  return null;
}

/** Null when something is there. */
function openNew({ files }: Host, path: string, mode: number): number | null {
  try {
    return files.open(path, 'createNew', mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return null;
  }
}

/** Removes a file whose writer was killed. False where somebody works on it, or it cannot be removed. */
function removeAbandoned(host: Host, path: string): boolean {
  const { files } = host;
  try {
    const fd = files.open(path, 'readWrite');
    try {
      if (!isOwned(host, { fd, path })) return false;
      files.unlink(path);
      return true;
    } finally {
      files.close(fd);
    }
  } catch (error) {
    // Best effort: the next delivery tries again. Gone meanwhile, no file, or not ours to write to.
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/** Locks the file, and looks whether the path still leads to it: nobody removes a file that another one has locked. */
function isOwned({ files, locks }: Host, { fd, path }: Temporary): boolean {
  if (!locks.tryLock(fd, WHOLE_FILE)) return false;
  const open = files.fstat(fd);
  const there = files.lstat(path);
  return open.type === 'file' && there?.inode === open.inode && there.device === open.device;
}

function removeQuietly({ files }: Host, path: string): void {
  try {
    files.unlink(path);
  } catch {
    // Best effort: the rename has happened, or the folder is gone; what stays goes with the next delivery.
  }
}
