import { writeNewFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { fingerprintOfEntry } from '../layouts/vyre/entry-format.js';
import { CACHE_TAG, type HomePaths, VYRE_SECTIONS, WORKER_PREFIX } from '../layouts/vyre/home-paths.js';
import { CacheError, errnoOf, troubleKind } from '../model/error.js';
import { untilStaged } from './staging.js';
import { judgeOwner, MARKER_TEXT, readMarker, type HomeProblem } from './usable-home.js';

/** Backup programs skip a folder with this file (bford.info/cachedir). */
const TAG_TEXT = `Signature: 8a477f597d28d172789f06886806bc55
# This directory holds compiled artifacts that can be made again. It is managed by vyre-cache.
`;
/** As we name them; a PVF host ends the same prefix in another way. */
const OUR_WORKER = new RegExp(`^${WORKER_PREFIX}[0-9a-f]{16}$`);
/** Items that are looked at before a folder counts as one without entries. */
const MAX_LOOKS = 10_000;

export type OpenedHome =
  | { readonly ok: true; readonly paths: HomePaths }
  | { readonly ok: false; readonly problem: HomeProblem };

/** What a directory is to us before anything is done to it. */
export type RootKind =
  | 'absent'
  | 'empty'
  | 'home'
  | 'sections'
  | 'store'
  | 'foreign'
  | 'not-a-directory'
  | 'newer-home';

/** Looks at the top level of a root. Reads only. @throws the errno error when the root cannot be read. */
export function rootKind(host: Host, paths: HomePaths): RootKind {
  const { files } = host;
  const root = files.lstat(paths.root);
  if (root === null) return 'absent';
  if (root.type !== 'directory') return 'not-a-directory';
  // Below the root no link is followed: a marker behind one says nothing.
  const hasPrivate = (): boolean => files.lstat(paths.private)?.type === 'directory';
  const marker = hasPrivate() ? readMarker(host, paths) : null;
  if (marker !== null) return marker;
  // A private folder without its marker: a crash while the home was made, or somebody deleted our state.
  const isOurs = (): boolean =>
    hasPrivate() || VYRE_SECTIONS.some((name) => files.lstat(`${paths.root}/${name}`)?.type === 'directory');
  if (isOurs()) return 'sections';
  let looks = 0;
  let hasEntry = false;
  files.scanDirectory(paths.root, ({ name }) => {
    hasEntry = fingerprintOfEntry(name) !== null;
    if (!isLeftover(name)) looks += 1;
    return !hasEntry && looks < MAX_LOOKS;
  });
  if (looks === 0) return 'empty';
  if (hasEntry) return 'store';
  // Another process may have begun to make a home of it in between.
  return isOurs() ? 'sections' : 'foreign';
}

/**
 * What may be all that a power cut leaves of a home: a file system that makes no order among names keeps any of them.
 * A folder that holds nothing else is as an empty one.
 */
function isLeftover(name: string): boolean {
  return name === CACHE_TAG || OUR_WORKER.test(name);
}

/** Makes the directory a home where it may become one, and judges whether this user may publish into it. Never throws. */
export function openHome(host: Host, paths: HomePaths): OpenedHome {
  try {
    const kind = rootKind(host, paths);
    const refused = refusal(kind, paths.root);
    if (refused !== null) return { ok: false, problem: refused };
    if (kind === 'absent') host.files.makeDirectories(paths.root);
    const unsafe = judgeOwner(host, paths.root);
    if (unsafe !== null) return { ok: false, problem: unsafe };
    const opened = openFolders(host, paths);
    if (!opened.ok) return opened;
    openPrivateFolders(host, paths);
    if (kind !== 'home') createHome(host, paths);
    return opened;
  } catch (error) {
    return { ok: false, problem: problemOf(error, paths.root) };
  }
}

function refusal(kind: RootKind, root: string): HomeProblem | null {
  switch (kind) {
    case 'not-a-directory':
      return { reason: 'home-not-a-directory', message: `expected a directory at "${root}", found a file` };
    case 'store':
      return {
        reason: 'home-foreign',
        message: `"${root}" is a store of another program, which is read and never compiled into; name an empty directory with --cache-dir`,
      };
    case 'foreign':
      return {
        reason: 'home-foreign',
        message: `"${root}" holds files that are not ours and no cache; name an empty directory with --cache-dir`,
      };
    case 'newer-home':
      return {
        reason: 'home-newer-format',
        message: `"${root}" was written by a newer version of vyre-cache`,
      };
    case 'absent':
    case 'empty':
    case 'home':
    case 'sections':
      return null;
    default:
      return kind satisfies never;
  }
}

function problemOf(error: unknown, root: string): HomeProblem {
  const errno = errnoOf(error);
  if (errno === null) throw error;
  if (troubleKind(errno) === 'no-space') {
    return { reason: 'no-space', message: `no space left for the cache at "${root}"` };
  }
  if (errno === 'ENOTDIR' || errno === 'EEXIST') {
    return {
      reason: 'home-not-a-directory',
      message: `expected a directory at "${root}", found a file on the way`,
    };
  }
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return { reason: 'home-unwritable', message: `the cache at "${root}" cannot be written (${errno})` };
  }
  return { reason: 'io-error', message: `the cache at "${root}" cannot be used (${errno})` };
}

/** Makes the folders that are missing (somebody may have deleted the store to empty it), before anything lies in them. */
function openFolders(host: Host, paths: HomePaths): OpenedHome {
  for (const folder of [paths.store, paths.private]) {
    if (host.files.lstat(folder) === null) makeFolder(host, folder);
    const unsafe = judgeOwner(host, folder);
    if (unsafe !== null) return { ok: false, problem: unsafe };
  }
  return { ok: true, paths };
}

/** Private state may be deleted at any time, and so may what somebody put in its place. Links are removed, not followed. */
function openPrivateFolders(host: Host, paths: HomePaths): void {
  const { files } = host;
  for (const folder of [paths.staging, paths.requests, paths.dependencySets]) {
    const there = files.lstat(folder);
    if (there?.type === 'directory') continue;
    if (there !== null) {
      ignoring('ENOENT', () => {
        files.unlink(folder);
      });
    }
    makeFolder(host, folder);
  }
}

/** Several processes may do this at once: every step is fine when it was done already; the marker comes last. */
function createHome(host: Host, paths: HomePaths): void {
  const { files } = host;
  ignoring('EEXIST', () => {
    writeNewFile(files, paths.cacheTag, [Buffer.from(TAG_TEXT)]);
  });
  untilStaged(() => {
    const staged = paths.staged(host.random.hex(8));
    writeNewFile(files, staged, [Buffer.from(MARKER_TEXT)]);
    files.rename(staged, paths.marker);
  });
}

function makeFolder(host: Host, folder: string): void {
  ignoring('EEXIST', () => {
    host.files.makeDirectory(folder);
  });
}

function ignoring(errno: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errnoOf(error) !== errno) throw error;
  }
}

/**
 * The folder of a root that holds entries, for reading: `pipelines/` of a home, or the root itself where it is a flat
 * folder of entries. It need not exist. `kind` is what the root is known to be. @throws CacheError environment when it is a link, which is not entered.
 */
export function readableStore(host: Host, paths: HomePaths, kind = rootKind(host, paths)): string {
  if (kind === 'store') return paths.root;
  if (kind === 'not-a-directory') return paths.store;
  if (host.files.lstat(paths.store)?.type !== 'link') return paths.store;
  throw new CacheError('environment', `expected a directory at "${paths.store}", found a link`, {
    hint: 'Below a cache directory no link is followed; link the whole cache directory instead.',
  });
}

/** Why the lock file of a home cannot be opened. */
export function lockProblem(host: Host, lockPath: string): HomeProblem {
  const found = FOUND_IN_PLACE[host.files.lstat(lockPath)?.type ?? 'file'];
  const message =
    found === null
      ? `the lock file "${lockPath}" of the cache cannot be opened`
      : `expected a file for the locks of the cache at "${lockPath}", found ${found}; remove it while nothing compiles`;
  return { reason: 'home-unwritable', message };
}

const FOUND_IN_PLACE: Readonly<Record<FileStat['type'], string | null>> = {
  file: null,
  directory: 'a directory',
  link: 'a link',
  other: 'a pipe or a device',
};
