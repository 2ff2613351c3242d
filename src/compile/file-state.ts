import type { FileStat } from '../host/files.js';

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
