import { join } from 'node:path';
import type { DirectoryItem } from '../host/files.js';
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
  const dead: FoundWorker[] = [];
  for (const worker of findWorkers(host, home.paths)) {
    if ((await isDead(host, worker)) && (await isUnclaimed(home.lock, worker))) dead.push(worker);
  }
  // Once for all of them: every start waits for this.
  if (dead.some(({ owner }) => owner !== null)) await host.clock.sleep(TAKEOVER_MS);
  let removed = 0;
  for (const worker of dead) {
    if (await reclaim(host, home, worker)) removed += 1;
  }
  return removed;
}

/** Whoever holds the fingerprint's lock deals with the dead owner's directory itself. */
async function isUnclaimed(lock: LockFile, { owner }: FoundWorker): Promise<boolean> {
  return owner === null || (await lock.tryHold(fingerprintByte(owner.fingerprint), () => undefined)).held;
}

/** Under the fingerprint's lock, where it can be had. */
async function reclaim(
  host: Host,
  home: { readonly paths: HomePaths; readonly lock: LockFile },
  worker: FoundWorker,
): Promise<boolean> {
  const { owner } = worker;
  if (owner === null) return reclaimIfDead(host, home.paths, worker);
  const byte = fingerprintByte(owner.fingerprint);
  const held = await home.lock.tryHold(byte, async () => reclaimIfDead(host, home.paths, worker));
  return held.held && held.value;
}

function sweepStaged(host: Host, paths: HomePaths): number {
  const { files, clock } = host;
  let removed = 0;
  for (const item of stagedItems(host, paths)) {
    const path = join(paths.staging, item.name);
    try {
      const stat = files.lstat(path);
      if (stat === null || clock.nowMs() - stat.mtimeMs < STAGED_AGE_MS) continue;
      files.removeTree(path);
      removed += 1;
    } catch {
      // Best effort: what cannot be removed today, for whatever reason, is tried again by the next process.
    }
  }
  return removed;
}

function stagedItems(host: Host, paths: HomePaths): readonly DirectoryItem[] {
  try {
    return host.files.readDirectory(paths.staging);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return [];
  }
}
