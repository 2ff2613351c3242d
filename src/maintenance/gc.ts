import { shortcutsIn } from '../store/state-folders.js';
import { LOCK_BYTES } from '../store/lock-file.js';
import { HomeLocks } from './home-locks.js';
import { ArtifactGarbage } from './gc-artifacts.js';
import { HomeGarbage } from './gc-homes.js';
import { takeInventory } from './inventory.js';
import { noteRemovals } from './journal.js';
import { isRecognised, OURS, type MaintainedRoot } from './maintained-root.js';
import { demandKnownFormat, demandOwner } from './owner.js';
import { Removals } from './removals.js';
import type { RemovalReport } from './reports.js';
import { removeStaleCompilers } from './stale-compilers.js';

export interface GcReport extends RemovalReport {
  /** True when another process was removing from this root: then nothing was looked at. */
  readonly isBusy: boolean;
}

export interface GcOptions {
  readonly dryRun: boolean;
  /** Removes what compilers made that have been replaced by newer ones. */
  readonly staleCompilers?: boolean;
}

/**
 * Removes garbage: what no command and no system needs, whatever the limits. Artifacts are never touched, unless those
 * of stale compilers are asked for; neither are aliens and links. Safe beside everything else: what is held or young
 * stays. One process does it at a time.
 * @throws CacheError environment when the root belongs to somebody else, or a newer version.
 */
export async function collectGarbage(root: MaintainedRoot, options: GcOptions): Promise<GcReport> {
  demandOwner(root);
  demandKnownFormat(root);
  const removals = new Removals(root.host, root.root, options);
  if (!isRecognised(root)) return { ...removals.report(), isBusy: false };
  // A store that is a link is an error of its own, not an empty one.
  if (OURS.has(root.kind())) root.openStore();
  const lock = root.openLock({ make: !options.dryRun });
  const collect = async (): Promise<void> => collectNow(root, removals, options);
  const held = lock === null ? await unheld(collect) : await lock.tryHold(LOCK_BYTES.maintenance, collect);
  const report = removals.report();
  noteRemovals(root, 'gc', report);
  return { ...report, isBusy: !held.held };
}

async function unheld(work: () => Promise<void>): Promise<{ readonly held: true }> {
  await work();
  return { held: true };
}

async function collectNow(root: MaintainedRoot, removals: Removals, options: GcOptions): Promise<void> {
  const { host } = root;
  const inventory = await takeInventory(host, root.root, { layouts: null, countsAliens: false });
  const locks = new HomeLocks(root, { make: !options.dryRun });
  try {
    await locks.whileMaintaining(inventory.homes, async () => {
      for (const home of inventory.homes.filter((each) => !locks.isBusy(each))) {
        const lock = locks.of(home);
        const beside = home === root.root ? shortcutsOf(root) : [];
        await new HomeGarbage(host, home, { lock, removals, dryRun: options.dryRun, beside }).collect();
      }
      await new ArtifactGarbage(root, inventory, { locks, removals, dryRun: options.dryRun }).collect();
      if (options.staleCompilers === true) await removeStaleCompilers(root, inventory, { locks, removals });
    });
  } finally {
    locks.close();
  }
}

function shortcutsOf({ stateDirectory }: MaintainedRoot): readonly string[] {
  return stateDirectory === null ? [] : [shortcutsIn(stateDirectory)];
}
