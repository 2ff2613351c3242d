import { join } from 'node:path';
import { lstatOrNull, type DirectoryItem, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { fingerprintByte, LOCK_BYTES, type LockFile } from '../store/lock-file.js';
import { findWorkers, isDead, reclaimIfDead, type FoundWorker } from '../store/worker-directory.js';

/** What lies in `new/` for a day belongs to nobody. */
const STAGED_AGE_MS = 86_400_000;
/** Longer than a waiter sleeps between two tries: who waits for a dead owner's work takes it over before the sweep does. */
const TAKEOVER_MS = 120;

export interface SweepReport {
  /** Worker directories of dead owners that were removed. */
  readonly workers: number;
  /** Half-made files and folders that were removed. */
  readonly staged: number;
}

/**
 * The start-up sweep: removes the worker directories of dead processes and what lay in `new/` for a day. One process
 * sweeps at a time; the others go on. Touches nothing that a living process owns, and nothing else in the home.
 */
export async function sweep(
  host: Host,
  home: { readonly paths: HomePaths; readonly lock: LockFile },
): Promise<SweepReport> {
  const held = await home.lock.tryHold(LOCK_BYTES.sweep, async () => ({
    workers: await sweepWorkers(host, home),
    staged: sweepStaged(host, home.paths),
  }));
  return held.held ? held.value : { workers: 0, staged: 0 };
}

async function sweepWorkers(
  host: Host,
  home: { readonly paths: HomePaths; readonly lock: LockFile },
): Promise<number> {
  let removed = 0;
  await visitWorkers(host, home, {
    dead: async (_, remove) => {
      if (await remove()) removed += 1;
    },
  });
  return removed;
}

function sweepStaged(host: Host, paths: HomePaths): number {
  let removed = 0;
  for (const { path, isStale } of stagedItems(host, paths)) {
    if (!isStale) continue;
    try {
      host.files.removeTree(path);
      removed += 1;
    } catch {
      // Best effort: what cannot be removed today, for whatever reason, is tried again by the next process.
    }
  }
  return removed;
}

/** A home, and its lock where it can be had: without it the owner's lock alone decides who reclaims a directory. */
export interface VisitedHome {
  readonly paths: HomePaths;
  readonly lock: LockFile | null;
}

export interface WorkerVisitor {
  /**
   * A directory whose owner is gone and whose fingerprint nobody holds. `remove` ends what the owner left running and removes
   * the directory; it returns false when somebody else has come first.
   */
  dead(worker: FoundWorker, remove: () => Promise<boolean>): Promise<void>;
  /** A directory that somebody owns or deals with. */
  owned?(worker: FoundWorker): void;
}

/** Visits the worker directories of a home: who waits for a dead owner's work takes it over before it is visited. */
export async function visitWorkers(host: Host, home: VisitedHome, visitor: WorkerVisitor): Promise<void> {
  const dead: FoundWorker[] = [];
  for (const worker of findWorkers(host, home.paths)) {
    if ((await isDead(host, worker)) && (await isUnclaimed(home.lock, worker))) dead.push(worker);
    else visitor.owned?.(worker);
  }
  // Once for all of them: every start waits for this.
  if (dead.some(({ owner }) => owner !== null)) await host.clock.sleep(TAKEOVER_MS);
  for (const worker of dead) {
    await visitor.dead(worker, async () => reclaim(host, home, worker));
  }
}

/** Whoever holds the fingerprint's lock deals with the dead owner's directory itself. */
async function isUnclaimed(lock: LockFile | null, { owner }: FoundWorker): Promise<boolean> {
  if (owner === null || lock === null) return true;
  return (await lock.tryHold(fingerprintByte(owner.fingerprint), () => undefined)).held;
}

/** Under the fingerprint's lock, where it can be had. */
async function reclaim(host: Host, { paths, lock }: VisitedHome, worker: FoundWorker): Promise<boolean> {
  const { owner } = worker;
  if (owner === null || lock === null) return reclaimIfDead(host, paths, worker);
  const byte = fingerprintByte(owner.fingerprint);
  const held = await lock.tryHold(byte, async () => reclaimIfDead(host, paths, worker));
  return held.held && held.value;
}

/** Something half-made that lies in `new/`. */
export interface StagedItem {
  readonly path: string;
  readonly stat: FileStat;
  /** It has been lying there for so long that nobody works on it any more. */
  readonly isStale: boolean;
}

export function stagedItems(host: Host, paths: HomePaths, onError?: FolderError): readonly StagedItem[] {
  return itemsOf(host, paths.staging, onError).flatMap(({ name }) => {
    const path = join(paths.staging, name);
    const stat = lstatOrNull(host.files, path);
    if (stat === null) return [];
    return [{ path, stat, isStale: host.clock.nowMs() - stat.mtimeMs >= STAGED_AGE_MS }];
  });
}

/** Called with the errno name when a folder that is there cannot be read. */
export type FolderError = (folder: string, errno: string) => void;

/** The items of a folder of ours; a link in its place is not followed. */
export function itemsOf({ files }: Host, folder: string, onError?: FolderError): readonly DirectoryItem[] {
  try {
    return files.lstat(folder)?.type === 'directory' ? files.readDirectory(folder) : [];
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    if (errno !== 'ENOENT') onError?.(folder, errno);
    return [];
  }
}
