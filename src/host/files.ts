import * as fs from 'node:fs';
import { errnoOf } from '../model/error.js';
import { makeFolders, openUp, removeListed } from './trees.js';

const { constants } = fs;
const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK } = constants;

/** The identity and size of a file, as far as the rules of a cache need them. Times in milliseconds, with fractions. */
export interface FileStat {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  readonly device: number;
  readonly inode: number;
  readonly bytes: number;
  readonly mtimeMs: number;
  readonly atimeMs: number;
  readonly ctimeMs: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  /** Names that lead to it. */
  readonly links: number;
}

/** What the system tells of a file, under the system's names. */
export type Facts = Pick<fs.Stats, 'mode' | 'dev' | 'ino' | 'size' | 'mtimeMs' | 'ctimeMs' | 'uid'>;

/** The bits of a mode that tell what is there, and three of their values. */
export const TYPE = { bits: S_IFMT, file: S_IFREG, directory: S_IFDIR, link: S_IFLNK } as const;

function toStat(stats: fs.Stats): FileStat {
  return {
    type: typeOfMode(stats.mode),
    device: stats.dev,
    inode: stats.ino,
    bytes: stats.size,
    mtimeMs: stats.mtimeMs,
    atimeMs: stats.atimeMs,
    ctimeMs: stats.ctimeMs,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    links: stats.nlink,
  };
}

/** By the bits themselves: a hit asks for so many files that Node's methods would be felt. */
function typeOfMode(mode: number): FileStat['type'] {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'link';
    default:
      return 'other';
  }
}

function typeOf(entry: fs.Dirent): FileStat['type'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

export interface DirectoryItem extends Pick<FileStat, 'type'> {
  readonly name: string;
}

/** Ways to open a file. Every one refuses a link in the last place of the path, except `follow` and those for delivery. */
const FLAGS = {
  /** Never blocks on a FIFO, never makes a terminal ours. */
  read: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
  /** The same through links, for what a compiler reads through them. */
  follow: constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
  /** As `read`, and the time of the last read stays as it is. Throws EPERM for files of others. */
  scan:
    constants.O_RDONLY |
    constants.O_NOFOLLOW |
    constants.O_NONBLOCK |
    constants.O_NOCTTY |
    constants.O_NOATIME,
  readWrite: constants.O_RDWR | constants.O_NOFOLLOW,
  createReadWrite: constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
  createNew: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
  /** Never waits for somebody who reads a FIFO. */
  append:
    constants.O_WRONLY |
    constants.O_CREAT |
    constants.O_APPEND |
    constants.O_NOFOLLOW |
    constants.O_NONBLOCK |
    constants.O_NOCTTY,
  /** Writes through to what is there: a link's target, a device, a pipe. */
  deliver: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  /** To a pipe or a device that is there. Never blocks: ENXIO where nobody reads, EAGAIN where nobody reads on. */
  deliverStream: constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
} as const;
export type OpenFlags = keyof typeof FLAGS;

const NULL_IF_ABSENT = { throwIfNoEntry: false } as const;

/** Undefined when nothing is there; nothing can be at the end of a path with a file in the middle. */
function statsBy(look: typeof fs.statSync, path: string): fs.Stats | undefined {
  try {
    return look(path, NULL_IF_ABSENT);
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The numbers of linux/magic.h: ext, XFS, Btrfs, ZFS, F2FS, bcachefs, tmpfs, overlayfs. */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0xf2f52010, 0xca451a4e, 0x01021994, 0x794c7630,
]);

const REMOVAL = { recursive: true, force: true, maxRetries: 2 } as const;

/**
 * The file primitives: each is one system call, or a loop over one. They throw Node's errors.
 * A test replaces single ones to make them fail.
 */
export const systemFiles = {
  open: (path: string, flags: OpenFlags, mode = 0o600): number => fs.openSync(path, FLAGS[flags], mode),
  close: (fd: number): void => {
    fs.closeSync(fd);
  },
  fstat: (fd: number): FileStat => toStat(fs.fstatSync(fd)),
  /** Null when nothing is there. */
  lstat: (path: string): FileStat | null => {
    const stats = statsBy(fs.lstatSync, path);
    return stats === undefined ? null : toStat(stats);
  },
  /** Follows links. Null when nothing is there. */
  stat: (path: string): FileStat | null => {
    const stats = statsBy(fs.statSync, path);
    return stats === undefined ? null : toStat(stats);
  },
  /** `stat` for those who ask so often that to make more of the answer would be felt. */
  facts: (path: string): Facts | undefined => statsBy(fs.statSync, path),
  /** The same, links not followed. */
  linkFacts: (path: string): Facts | undefined => statsBy(fs.lstatSync, path),
  /** Follows links. */
  isDirectory: (path: string): boolean => {
    const stats = fs.statSync(path, NULL_IF_ABSENT);
    return stats !== undefined && (stats.mode & S_IFMT) === S_IFDIR;
  },
  /** True for a FIFO or an anonymous pipe. Follows links. */
  isPipe: (path: string): boolean => fs.statSync(path, NULL_IF_ABSENT)?.isFIFO() === true,
  /**
   * Reads at most `length` bytes at `position` into `buffer` from its start; returns how many were there. Once `enough`
   * are read a short answer counts as the end of the file, which spares the question.
   */
  readAt: (
    fd: number,
    buffer: Uint8Array,
    length: number,
    position: number,
    enough: number = length,
  ): number => {
    let done = 0;
    while (done < enough) {
      const count = fs.readSync(fd, buffer, done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  },
  /**
   * Opens as `scan`, reads from the start what fits into the buffer, and closes. The path is bytes, which nobody has to
   * make anew for each of many files. @returns how many bytes were read.
   */
  readStart: (path: Buffer, into: Uint8Array): number => {
    const fd = fs.openSync(path, FLAGS.scan);
    try {
      return fs.readSync(fd, into, 0, into.byteLength, 0);
    } finally {
      fs.closeSync(fd);
    }
  },
  /** Writes every byte at the current position. */
  write: (fd: number, bytes: Uint8Array): void => {
    let done = 0;
    while (done < bytes.byteLength) done += fs.writeSync(fd, bytes, done, bytes.byteLength - done);
  },
  /** Writes what a descriptor opened without blocking takes now, and returns how much that was; 0: try again later. */
  writeSome: (fd: number, bytes: Uint8Array): number => {
    try {
      return fs.writeSync(fd, bytes);
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return 0;
      throw error;
    }
  },
  /** Writes every byte at `position`. */
  writeAt: (fd: number, bytes: Uint8Array, position: number): void => {
    let done = 0;
    while (done < bytes.byteLength) {
      done += fs.writeSync(fd, bytes, done, bytes.byteLength - done, position + done);
    }
  },
  truncate: (fd: number, bytes: number): void => {
    fs.ftruncateSync(fd, bytes);
  },
  sync: (fd: number): void => {
    fs.fsyncSync(fd);
  },
  /** The same beside other work; rejects with Node's error. The descriptor stays open until it is settled. */
  syncBeside: async (fd: number): Promise<void> =>
    new Promise((resolve, reject) => {
      fs.fsync(fd, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    }),
  chmod: (fd: number, mode: number): void => {
    fs.fchmodSync(fd, mode);
  },
  rename: (from: string, to: string): void => {
    fs.renameSync(from, to);
  },
  /** Throws EEXIST when something is there. A link is not followed. */
  link: (from: string, to: string): void => {
    fs.linkSync(from, to);
  },
  unlink: (path: string): void => {
    fs.unlinkSync(path);
  },
  /** Throws EEXIST when something is there. */
  makeDirectory: (path: string, mode = 0o700): void => {
    fs.mkdirSync(path, { mode });
  },
  makeDirectories: (path: string, mode = 0o700): void => {
    makeFolders(path, mode);
  },
  removeDirectory: (path: string): void => {
    fs.rmdirSync(path);
  },
  /** Removes a file or a whole folder, read-only ones within it too; absent is fine. Never follows links. */
  removeTree: (path: string): void => {
    try {
      const isFolder = fs.lstatSync(path, NULL_IF_ABSENT)?.isDirectory() === true;
      if (!isFolder || !removeListed(path)) fs.rmSync(path, REMOVAL);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== 'EACCES' && errno !== 'EPERM') throw error;
      // A module cache of Go, for one, consists of folders that nobody may write to.
      openUp(path);
      fs.rmSync(path, REMOVAL);
    }
  },
  /** Half as long as {@link systemFiles.readDirectory}, where the types are of no interest. */
  readNames: (path: string): string[] => fs.readdirSync(path),
  readDirectory: (path: string): DirectoryItem[] =>
    fs.readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name, type: typeOf(entry) })),
  /** Visits the names of a folder without holding them all; `visit` returns false to stop. */
  scanDirectory: (path: string, visit: (item: DirectoryItem) => boolean): void => {
    const directory = fs.opendirSync(path);
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (!visit({ name: entry.name, type: typeOf(entry) })) return;
      }
    } finally {
      directory.closeSync();
    }
  },
  setTimes: (fd: number, atimeMs: number, mtimeMs: number): void => {
    fs.futimesSync(fd, atimeMs / 1000, mtimeMs / 1000);
  },
  realpath: (path: string): string => fs.realpathSync.native(path),
  readLink: (path: string): string => fs.readlinkSync(path),
  /** True for a file system that keeps exact times of its own: no other machine writes to it, and no program makes it up. */
  isLocal: (path: string): boolean => LOCAL_FILE_SYSTEMS.has(fs.statfsSync(path).type),
  /** Free bytes for this user on the file system of `path`, and its size. */
  space: (path: string): { readonly freeBytes: number; readonly totalBytes: number } => {
    const stats = fs.statfsSync(path);
    return { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize };
  },
} as const;

export type Files = typeof systemFiles;

/** Opens, runs `work`, closes. */
export function withFile<T>(
  files: Files,
  target: { readonly path: string; readonly flags: OpenFlags; readonly mode?: number },
  work: (fd: number) => T,
): T {
  const fd = files.open(target.path, target.flags, target.mode);
  try {
    return work(fd);
  } finally {
    files.close(fd);
  }
}

/**
 * Opens for reading. The time of the last read stays where that is permitted: it is the last use of artifacts of other
 * writers, and looking at them is none.
 */
export function openScanned(files: Files, path: string): number {
  try {
    return files.open(path, 'scan');
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    return files.open(path, 'read');
  }
}

/** Opens as {@link openScanned} does, runs `work`, closes. */
export function withScannedFile<T>(files: Files, path: string, work: (fd: number) => T): T {
  const fd = openScanned(files, path);
  try {
    return work(fd);
  } finally {
    files.close(fd);
  }
}

/** Up to here chunks are joined and written at once. */
const MAX_JOINED_BYTES = 65_536;

/** Creates a file that must not exist and writes the chunks. */
export function writeNewFile(files: Files, path: string, chunks: readonly Uint8Array[], mode = 0o600): void {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const pieces = bytes <= MAX_JOINED_BYTES ? [Buffer.concat(chunks, bytes)] : chunks;
  withFile(files, { path, flags: 'createNew', mode }, (fd) => {
    for (const piece of pieces) files.write(fd, piece);
  });
}

/**
 * Follows links. Null for what is not there and for what the system refuses to look at (a closed folder, a loop of
 * links, a name that is none): what cannot be seen is not there.
 */
export function statOrNull(files: Files, path: string): FileStat | null {
  return orNull(() => files.stat(path));
}

/** The same, links not followed. */
export function lstatOrNull(files: Files, path: string): FileStat | null {
  return orNull(() => files.lstat(path));
}

function orNull(look: () => FileStat | null): FileStat | null {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}
