import { TYPE, type Facts, type Files, type FileStat } from '../host/files.js';
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

/** Looks as they are noted for those who look again. */
export interface Looks {
  /** A line for each look: a letter of {@link AGAIN}, and the path. */
  readonly looks: string;
  /** What was seen, in the same order. Numbers, for to make text of times takes longer than to ask for them. */
  readonly states: readonly unknown[];
}

/** How it is looked again; links are followed but by the second one of two letters. */
export const AGAIN = {
  /** At something with times, of which the states are type, device, inode, size, mtime and ctime. */
  timed: 's',
  timedLink: 'l',
  /** At a place, of which they are type and permissions, device, inode and owner. */
  place: 'p',
  placeLink: 'q',
  /** At nothing, which has no state. */
  nothing: 'a',
  nothingLink: 'b',
  /** At a path that leads to another one, which follows behind a tab. */
  real: 'r',
  /** At what is a folder, and at what is none. */
  folder: 'd',
  noFolder: 'n',
} as const;

/** True when every look sees what it saw then. */
export function isAsSeen(files: Files, { looks, states }: Looks): boolean {
  try {
    let at = 0;
    for (const look of looks.split(LOOK_END)) {
      const next = lookAgain(files, look, states, at);
      if (next < 0) return false;
      at = next;
    }
    return at === states.length;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/** Where the states of the next look begin; less than 0 where this one has seen something else, or is none. */
function lookAgain(files: Files, look: string, states: Looks['states'], at: number): number {
  const path = look.slice(1);
  switch (look.slice(0, 1)) {
    case AGAIN.timed:
      return hasTimes(files.facts(path), states, at) ? at + TIMED_STATES : -1;
    case AGAIN.nothing:
      return files.facts(path) === undefined ? at : -1;
    case AGAIN.place:
      return isThere(files.facts(path), states, at) ? at + PLACE_STATES : -1;
    case AGAIN.timedLink:
      return hasTimes(files.linkFacts(path), states, at) ? at + TIMED_STATES : -1;
    case AGAIN.nothingLink:
      return files.linkFacts(path) === undefined ? at : -1;
    case AGAIN.placeLink:
      return isThere(files.linkFacts(path), states, at) ? at + PLACE_STATES : -1;
    case AGAIN.real: {
      const end = path.indexOf(PART_END);
      return end >= 0 && files.realpath(path.slice(0, end)) === path.slice(end + 1) ? at : -1;
    }
    case AGAIN.folder:
      return files.isDirectory(path) ? at : -1;
    case AGAIN.noFolder:
      return files.isDirectory(path) ? -1 : at;
    default:
      return -1;
  }
}

/** How many states each has. */
export const TIMED_STATES = 6;
export const PLACE_STATES = 4;

function hasTimes(facts: Facts | undefined, states: Looks['states'], at: number): boolean {
  return (
    facts !== undefined &&
    facts.mtimeMs === states[at + 4] &&
    facts.ctimeMs === states[at + 5] &&
    facts.ino === states[at + 2] &&
    facts.size === states[at + 3] &&
    facts.dev === states[at + 1] &&
    (facts.mode & TYPE.bits) === states[at]
  );
}

function isThere(facts: Facts | undefined, states: Looks['states'], at: number): boolean {
  return (
    facts !== undefined &&
    facts.ino === states[at + 2] &&
    facts.dev === states[at + 1] &&
    placeMode(facts.mode) === states[at] &&
    facts.uid === states[at + 3]
  );
}

/** Of a folder with its type, of anything else than a file or a link without; of those less than 0. */
function placeMode(mode: number): number {
  const type = mode & TYPE.bits;
  if (type === TYPE.directory) return mode;
  return type === TYPE.file || type === TYPE.link ? -1 : mode & ~TYPE.bits;
}
