import { basename, dirname, join } from 'node:path';
import { lstatOrNull, type DirectoryItem, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { isSweptAtStart } from '../layouts/pvf/start-rule.js';
import { HomePaths, STORE_FOLDER } from '../layouts/vyre/home-paths.js';
import { CacheError, errnoOf } from '../model/error.js';
import { rootKind } from '../store/home.js';
import { noteRemovals } from './journal.js';
import { OURS, type MaintainedRoot } from './maintained-root.js';
import { demandOwner } from './owner.js';
import { Removals } from './removals.js';
import type { RemovalReport } from './reports.js';

/** What a removal says when a folder of another file system is mounted in its way. */
const OTHER_DEVICE = 'EXDEV';

/**
 * Removes what a PVF host removes from its artifact directory when it starts: see {@link isSweptAtStart}. Top level
 * only; nothing tells whether a host runs, so whoever calls this has stopped it.
 * @throws CacheError environment when the root is a cache of ours, belongs to somebody else, or cannot be read.
 */
export async function sweepAsAtStart(
  root: MaintainedRoot,
  options: { readonly dryRun: boolean },
): Promise<RemovalReport> {
  refuseOurs(root);
  demandOwner(root);
  const { host } = root;
  const removals = new Removals(host, root.root, options);
  const device = host.files.lstat(root.root)?.device ?? 0;
  for (const { name, type } of host.files.readDirectory(root.root).toSorted(byName)) {
    if (!isSweptAtStart(name, type)) continue;
    const path = join(root.root, name);
    // Nothing is there under the text of a name that is not UTF-8: it stays, as the host leaves it.
    const stat = lstatOrNull(host.files, path);
    if (stat?.type !== type) continue;
    const tree = new TreeRemoval(host, { device, dryRun: options.dryRun });
    const isGone = tree.remove(path, stat);
    for (const { path: at, errno } of tree.errors) removals.fail(at, errno);
    if (isGone) await removals.take({ path, reason: 'restart', stat, bytes: tree.bytes }, () => true);
  }
  const report = removals.report();
  noteRemovals(root, 'gc --restart', report);
  return report;
}

function byName(a: DirectoryItem, b: DirectoryItem): number {
  return a.name < b.name ? -1 : 1;
}

/** In a cache of ours living processes own the worker directories, and no start tells that they are gone. */
function refuseOurs(root: MaintainedRoot): void {
  const { host } = root;
  const kind = root.kind();
  if (kind === 'absent' || kind === 'not-a-directory') {
    const found = kind === 'absent' ? 'nothing' : 'a file';
    throw new CacheError('environment', `expected a directory, found ${found} at "${root.root}"`);
  }
  const isOurs = OURS.has(kind) || basename(root.root) === STORE_FOLDER;
  const home = isOurs ? root.root : homeAbove(host, root.root);
  if (home === null) return;
  throw new CacheError(
    'environment',
    `expected a directory of a PVF host, but "${home}" is a cache of vyre-cache`,
    { hint: `Run \`vyre-cache gc ${home}\`, which removes what no living process owns.` },
  );
}

/** The home that a folder lies in; null when it lies in none. */
function homeAbove(host: Host, path: string): string | null {
  for (let folder = path; folder !== dirname(folder);) {
    folder = dirname(folder);
    if (isHome(host, folder)) return folder;
  }
  return null;
}

function isHome(host: Host, folder: string): boolean {
  try {
    const kind = rootKind(host, new HomePaths(folder));
    return kind === 'home' || kind === 'newer-home';
  } catch (error) {
    // A folder that may not be read holds no cache that this user could harm.
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/** A file or folder with everything in it. */
class TreeRemoval {
  readonly #host: Host;
  readonly #device: number;
  readonly #dryRun: boolean;
  readonly errors: { readonly path: string; readonly errno: string }[] = [];
  /** Of the regular files that went, or would go. */
  bytes = 0;

  /** Folders of another device are mounted there: they stay with what is in them. */
  constructor(host: Host, options: { readonly device: number; readonly dryRun: boolean }) {
    this.#host = host;
    this.#device = options.device;
    this.#dryRun = options.dryRun;
  }

  /**
   * Removes what it can, and notes the rest. Follows no link; who exchanges a folder for a link at the very moment makes
   * us remove in a folder that this user may write to anyway. @returns true when all of it is gone.
   */
  remove(path: string, stat: FileStat): boolean {
    if (stat.device !== this.#device) return this.#fail(path, OTHER_DEVICE);
    try {
      if (stat.type === 'directory') return this.#removeFolder(path);
      if (!this.#dryRun) this.#host.files.unlink(path);
      if (stat.type === 'file') this.bytes += stat.bytes;
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      return errno === 'ENOENT' || this.#fail(path, errno);
    }
  }

  #removeFolder(path: string): boolean {
    const { files } = this.#host;
    let isEmpty = true;
    for (const { name } of files.readDirectory(path)) {
      const below = join(path, name);
      const stat = lstatOrNull(files, below);
      if (stat !== null && !this.remove(below, stat)) isEmpty = false;
    }
    if (isEmpty && !this.#dryRun) files.removeDirectory(path);
    return isEmpty;
  }

  #fail(path: string, errno: string): false {
    this.errors.push({ path, errno });
    return false;
  }
}
