import type { Files, FileStat } from './files.js';
import { readRegularFile } from './regular-file.js';

const LOCKS_FILE = '/proc/locks';
/** Some 40,000 locks. */
const MAX_LOCKS_BYTES = 4_194_304;

/** `1: FLOCK  ADVISORY  WRITE 1234 fe:00:260072 0 EOF`; with an arrow behind the number, who waits for one. */
const FLOCK_LINE = /^[0-9]+: FLOCK .* ([0-9a-f]+):([0-9a-f]+):([0-9]+) [0-9]+ (?:[0-9]+|EOF)$/;

/**
 * True while a process holds a file by flock(2), as far as this system tells: Linux lists the holders in our own PID
 * namespace and below. Where a file system gives its files other device numbers than its own (btrfs, overlayfs), a
 * holder is not found; then its reader meets a file that is gone, as after any removal.
 */
export function hasFlock(files: Files, file: Pick<FileStat, 'device' | 'inode'>): boolean {
  const read = readRegularFile(files, LOCKS_FILE, MAX_LOCKS_BYTES);
  // More locks than that: one of them may be it.
  if (!read.ok) return read.reason === 'oversized';
  return namesFlock(read.bytes.toString('latin1'), file);
}

/** The same in the text of `/proc/locks`. */
export function namesFlock(text: string, { device, inode }: Pick<FileStat, 'device' | 'inode'>): boolean {
  const { major, minor } = splitDevice(device);
  return text.split('\n').some((line) => {
    const [, lineMajor = '', lineMinor = '', lineInode = ''] = FLOCK_LINE.exec(line) ?? [];
    return (
      Number(lineInode) === inode &&
      Number.parseInt(lineMajor, 16) === major &&
      Number.parseInt(lineMinor, 16) === minor
    );
  });
}

/** Linux: 12 bits of the one between the 8 lower and the 12 upper bits of the other. */
function splitDevice(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xf_ff00) };
}
