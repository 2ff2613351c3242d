import type { Files, FileStat } from '../host/files.js';
import { errnoOf } from '../model/error.js';

/**
 * How a path is looked at: `stat` follows links, `lstat` does not, `list` reads the names of a folder, `real` resolves
 * every link, `folder` asks whether it is one.
 */
export type LookKind = 'stat' | 'lstat' | 'list' | 'real' | 'folder';

/** Does work whose looks count for all jobs of a batch. */
export type ForAllJobs = <T>(work: () => T) => T;

/** Between the parts of a look; a path that contains one of these is in no list. */
export const PART_END = '\t';
export const LOOK_END = '\n';

/** What is seen where nothing is. */
export const NOTHING = 'absent';

/**
 * What was seen at a path, in a word that is another one as soon as something changes there. A folder that was not read
 * is the same whatever it holds.
 */
export function answerOf(kind: LookKind, stat: FileStat | null): string {
  if (stat === null) return NOTHING;
  const { type, device, inode, mode, uid, bytes, mtimeMs, ctimeMs } = stat;
  const isPlace = type === 'other' || (type === 'directory' && kind !== 'list');
  return isPlace
    ? `${type} ${device} ${inode} ${mode} ${uid}`
    : `${type} ${device} ${inode} ${bytes} ${mtimeMs} ${ctimeMs}`;
}

/** The device in an answer; null where nothing was there, and for looks that tell of none. */
export function deviceIn(answer: string): string | null {
  return /^(?:file|directory|link|other) (\d+) /.exec(answer)?.[1] ?? null;
}

/** True when every look of a list sees what it saw then. */
export function isAsSeen(files: Files, looks: string): boolean {
  try {
    // By positions: to take each line apart into a list takes about as long as the system takes to look.
    for (const look of looks.split(LOOK_END)) {
      const kindEnd = look.indexOf(PART_END);
      const pathEnd = look.indexOf(PART_END, kindEnd + 1);
      if (pathEnd < 0) return false;
      const seen = lookAgain(files, look.slice(0, kindEnd), look.slice(kindEnd + 1, pathEnd));
      if (seen !== look.slice(pathEnd + 1)) return false;
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/** Null for a kind that is none. @throws the errno error of a look that fails. */
function lookAgain(files: Files, kind: string, path: string): string | null {
  switch (kind) {
    case 'stat':
    case 'list':
      return answerOf(kind, files.stat(path));
    case 'lstat':
      return answerOf(kind, files.lstat(path));
    case 'real':
      return files.realpath(path);
    case 'folder':
      return String(files.isDirectory(path));
    default:
      return null;
  }
}
