import { join } from 'node:path';
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
  for (const worker of findWorkers(host, home.paths)) {
    if (await sweepWorker(host, home, worker)) removed += 1;
  }
  return removed;
}

/** Under the fingerprint's lock, where it can be had: whoever holds it deals with the dead owner's directory itself. */
async function sweepWorker(
  host: Host,
  home: { readonly paths: HomePaths; readonly lock: LockFile },
  worker: FoundWorker,
): Promise<boolean> {
  if (!(await isDead(host, worker))) return false;
  const { owner } = worker;
  if (owner === null) return reclaimIfDead(host, home.paths, worker);
  const byte = fingerprintByte(owner.fingerprint);
  if (!(await home.lock.tryHold(byte, () => undefined)).held) return false;
  await host.clock.sleep(TAKEOVER_MS);
  const held = await home.lock.tryHold(byte, async () => reclaimIfDead(host, home.paths, worker));
  return held.held && held.value;
}

function sweepStaged(host: Host, paths: HomePaths): number {
  const { files, clock } = host;
  let removed = 0;
  quietly(() => {
    for (const item of files.readDirectory(paths.staging)) {
      const path = join(paths.staging, item.name);
      quietly(() => {
        const stat = files.lstat(path);
        if (stat === null || clock.nowMs() - stat.mtimeMs < STAGED_AGE_MS) return;
        files.removeTree(path);
        removed += 1;
      });
    }
  });
  return removed;
}

/** Best effort: what cannot be removed today is tried again by the next process. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}
