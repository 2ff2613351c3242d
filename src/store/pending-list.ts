import { withFile, writeNewFile } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import type { Host } from '../host/host.js';
import type { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { FINGERPRINT_BYTES, LOCK_BYTES, type LockFile } from './lock-file.js';

/** A list this long means "every entry": flush then syncs all. Some 16,000 notes. */
const MAX_PENDING_BYTES = 1_048_576;
const TIMEOUT_MS = 10_000;
/**
 * First line of a list that a flush began. A list without it was begun by somebody who found none: what was noted
 * before is lost, so it means every entry.
 */
const HEADER = 'vyre-cache.pending/1\n';
const NOTE_BYTES = 65;
const TAKEN_NAME = /^pending\.[0-9a-f]{16}$/;

export interface PendingHome {
  readonly paths: HomePaths;
  readonly lock: LockFile;
}

/** What a list says. */
export interface Notes {
  readonly noted: ReadonlySet<Fingerprint>;
  /** True when entries may be pending that it does not name. */
  readonly every: boolean;
}

/** What is said by a list that is missing, too long, or no regular file. */
export const EVERY: Notes = { noted: new Set(), every: true };

const NOTHING: Notes = { noted: new Set(), every: false };

/** A list as a flush leaves it behind. */
export const CLEAN_LIST: Uint8Array = Buffer.from(HEADER, 'latin1');

/** The line of an entry. */
export function noteOf(fingerprint: Fingerprint): string {
  return `${fingerprint}\n`;
}

/** Reads a list. What is no whole line of ours makes it mean every entry; what is one still counts. */
export function decodeNotes(bytes: Uint8Array): Notes {
  const text = Buffer.from(bytes).toString('latin1');
  const hasHeader = text.startsWith(HEADER);
  const lines = (hasHeader ? text.slice(HEADER.length) : text).split('\n');
  const torn = lines.pop() !== '';
  const noted = new Set(lines.filter(isFingerprint));
  return { noted, every: !hasHeader || torn || !lines.every(isFingerprint) };
}

/** What lists say together. */
export function mergeNotes(lists: readonly Notes[]): Notes {
  return {
    noted: new Set(lists.flatMap(({ noted }) => [...noted])),
    every: lists.some(({ every }) => every),
  };
}

/**
 * What lies in the place of the list once these notes were taken away. While somebody publishes, a list that does not
 * name everything cannot be replaced by a clean one: that publisher's note may be among those that are lost. Without a
 * list the next flush syncs every entry again.
 */
export function successorOf(notes: Notes, options: { readonly isQuiet: boolean }): 'clean' | 'none' {
  return notes.every && !options.isQuiet ? 'none' : 'clean';
}

/** `error` is an errno name; null where no system call failed. */
type Noting = { readonly noted: true } | { readonly noted: false; readonly error: string | null };

/**
 * Notes that an entry is about to appear which is not durable yet. The note precedes the rename, so an entry that a
 * power cut may lose is always on the list. @returns false when the note could not be written: sync the entry instead.
 */
export async function notePending(host: Host, home: PendingHome, fingerprint: Fingerprint): Promise<boolean> {
  return (await noteAll(host, home, [fingerprint])).noted;
}

/** Notes several at once, for a flush. */
export async function noteAll(
  host: Host,
  home: PendingHome,
  fingerprints: readonly Fingerprint[],
): Promise<Noting> {
  const held = await home.lock.hold(LOCK_BYTES.pending, { timeoutMs: TIMEOUT_MS, shared: true }, () =>
    append(host, home.paths.pending, fingerprints),
  );
  return held.held ? held.value : { noted: false, error: null };
}

function append(host: Host, path: string, fingerprints: readonly Fingerprint[]): Noting {
  const { files } = host;
  try {
    return withFile(files, { path, flags: 'append' }, (fd) => {
      const { type, bytes } = files.fstat(fd);
      if (type !== 'file') return { noted: false, error: null };
      // No more than makes the list full.
      const room = Math.max(0, Math.ceil((MAX_PENDING_BYTES - bytes) / NOTE_BYTES));
      const lines = fingerprints.slice(0, room).map(noteOf);
      if (lines.length > 0) files.write(fd, Buffer.from(lines.join(''), 'latin1'));
      return { noted: true };
    });
  } catch (error) {
    // Best effort: a publisher makes its entry durable at once, a flush keeps the list that it took.
    return { noted: false, error: errnoOf(error) };
  }
}

/** What the list of a home says now, whoever appends to it meanwhile. */
export function readPending(host: Host, paths: HomePaths): Notes {
  return readNotes(host, paths.pending);
}

/** The notes that a flush answers for from now on. */
export interface TakenNotes extends Notes {
  /** The lists to remove when all of them are durable or noted again: until then a kill loses nothing. */
  readonly lists: readonly string[];
  /** Why no clean list could be put in their place; an errno name. */
  readonly problem: string | null;
}

type Taking =
  | { readonly taken: true; readonly notes: TakenNotes }
  /** The list stays where it is. `error` is an errno name; null when its lock could not be had. */
  | { readonly taken: false; readonly error: string | null };

/**
 * Takes the list away under its exclusive lock, with those that flushes before took away and did not finish, and leaves
 * a clean one. What is noted from now on is for the next flush. Worst effect of a kill: the list is missing, and the
 * next flush syncs every entry.
 */
export async function takePending(host: Host, home: PendingHome): Promise<Taking> {
  const held = await home.lock.hold(LOCK_BYTES.pending, { timeoutMs: TIMEOUT_MS }, () => {
    try {
      return { taken: true, notes: take(host, home.paths) } as const;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      return { taken: false, error: errno } as const;
    }
  });
  return held.held ? held.value : { taken: false, error: null };
}

function take(host: Host, paths: HomePaths): TakenNotes {
  const { files } = host;
  const current = readNotes(host, paths.pending);
  const earlier = takenLists(host, paths);
  if (earlier.length === 0 && !current.every && current.noted.size === 0) {
    return { ...current, lists: [], problem: null };
  }
  const list = paths.takenPending(host.random.hex(8));
  // A list that is missing means every entry: so does the empty one that takes its place among the lists to deal with.
  if (files.lstat(paths.pending) === null) writeNewFile(files, list, []);
  else files.rename(paths.pending, list);
  const notes = mergeNotes([current, ...earlier.map((path) => readNotes(host, path, NOTHING))]);
  return { ...notes, lists: [...earlier, list], problem: leaveSuccessor(host, paths, notes) };
}

/** A list that was taken away and has gone since needs no more: who removed it had noted what stays before. */
function readNotes(host: Host, path: string, absent: Notes = EVERY): Notes {
  const read = readRegularFile(host.files, path, MAX_PENDING_BYTES - 1);
  if (read.ok) return decodeNotes(read.bytes);
  return read.reason === 'absent' ? absent : EVERY;
}

function takenLists(host: Host, paths: HomePaths): readonly string[] {
  return host.files
    .readDirectory(paths.private)
    .filter(({ name }) => TAKEN_NAME.test(name))
    .map(({ name }) => `${paths.private}/${name}`);
}

/** @returns the errno name of a failure: then there is no list, and the next flush syncs every entry. */
function leaveSuccessor(host: Host, paths: HomePaths, notes: Notes): string | null {
  if (notes.every && successorOf(notes, { isQuiet: isQuiet(host, paths) }) === 'none') return null;
  // Written under the name of a list that was taken away: left behind half written, it means every entry.
  const staged = paths.takenPending(host.random.hex(8));
  try {
    writeNewFile(host.files, staged, [CLEAN_LIST]);
    host.files.rename(staged, paths.pending);
    return null;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return errno;
  }
}

/**
 * True when nobody publishes at this moment. Asked with a descriptor of its own: on the one of this process the
 * question would replace the locks that its tasks hold.
 */
function isQuiet(host: Host, paths: HomePaths): boolean {
  const { files, locks } = host;
  return withFile(files, { path: paths.lock, flags: 'createReadWrite' }, (fd) => {
    const range = { ...FINGERPRINT_BYTES, shared: true };
    const isFree = locks.tryLock(fd, range);
    if (isFree) locks.unlock(fd, range);
    return isFree;
  });
}

/**
 * Forgets the lists whose notes are all dealt with. Another flush may have done so already.
 * @throws the errno error of a failed removal: the next flush deals with them again.
 */
export function dropTaken(host: Host, notes: TakenNotes): void {
  // Whatever somebody put in the place of a list in our private folder goes with it.
  for (const list of notes.lists) host.files.removeTree(list);
}

/** Makes one entry durable: its file, its record, their folder. @throws the errno error of a failed sync. */
export function syncEntry(host: Host, store: StorePaths, fingerprint: Fingerprint): void {
  syncFiles(host, [store.entry(fingerprint), store.record(fingerprint), store.folder]);
}

/** @throws the errno error of a failed sync. */
export function syncFiles(host: Host, paths: readonly string[]): void {
  for (const path of paths) {
    withFile(host.files, { path, flags: 'read' }, (fd) => {
      host.files.sync(fd);
    });
  }
}
