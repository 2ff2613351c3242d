import type { RetentionRules } from '../model/retention.js';
import { shareOf, type Share } from '../model/share.js';
import type { LayoutName } from '../layouts/layout.js';
import type { ArtifactTable } from './artifact-table.js';
import { collectCandidates, type Collected } from './candidates.js';
import { evict, type EvictedRoot, type EvictionReport } from './eviction.js';
import { HomeLocks } from './home-locks.js';
import { OURS } from './maintained-root.js';
import { whileNobodyMaintains } from './maintenance-lock.js';
import { demandKnownFormat, demandOwner } from './owner.js';
import type { PruneReport } from './reports.js';

const DAY_MS = 86_400_000;

export interface PruneOptions {
  readonly rules: RetentionRules;
  /** The layouts whose artifacts the rules are for; all unless it is said. */
  readonly layouts?: readonly LayoutName[] | null;
  /** Goes every step but the removal. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: ((progress: { readonly files: number; readonly bytes: number }) => void) | null;
}

/** A report whose removals have numbers. */
export type NumberedPruneReport = PruneReport & EvictionReport;

/**
 * Removes valid artifacts by policy, one run of `prune` or `gc` at a time. What others hold or use meanwhile stays.
 * @throws CacheError environment when the root belongs to somebody else or to a newer version.
 */
export async function prune(root: EvictedRoot, options: PruneOptions): Promise<NumberedPruneReport> {
  demandOwner(root);
  demandKnownFormat(root);
  const work = async (): Promise<NumberedPruneReport> => pruneNow(root, options);
  return options.dryRun ? work() : whileNobodyMaintains(root, options.signal ?? null, work);
}

async function pruneNow(root: EvictedRoot, options: PruneOptions): Promise<NumberedPruneReport> {
  const { host } = root;
  const { rules, dryRun } = options;
  const signal = options.signal ?? null;
  const nowMs = host.clock.nowMs();
  const { inventory, others, failures } = await candidatesOf(root, options);
  const lastDay = lastDayOf(inventory.artifacts, nowMs);
  const moment = { nowMs, missingBytes: missingBytes(root, rules.minFree) };
  const locks = new HomeLocks(root, { make: !dryRun });
  try {
    const report = await locks.whileMaintaining(inventory.homes, async () =>
      evict(root, { inventory, rules, moment, locks, dryRun, signal }),
    );
    const { maxBytes, maxEntries } = rules;
    return {
      ...report,
      failures: [...failures, ...report.failures],
      limits: { maxBytes, maxEntries },
      lastDay,
      others,
    };
  } finally {
    locks.close();
  }
}

async function candidatesOf(root: EvictedRoot, options: PruneOptions): Promise<Collected> {
  // A store that is a link is an error of its own, not an empty one.
  if (OURS.has(root.kind())) root.openStore();
  return collectCandidates(root, {
    signal: options.signal ?? null,
    layouts: options.layouts ?? null,
    onProgress: options.onProgress ?? null,
  });
}

/** What was used within a day; a last use in the future counts. */
function lastDayOf(candidates: ArtifactTable, nowMs: number): PruneReport['lastDay'] {
  const { usedAtMs, bytes: sizes } = candidates;
  let bytes = 0;
  let entries = 0;
  for (let index = 0; index < candidates.count; index += 1) {
    if (nowMs - (usedAtMs[index] ?? 0) > DAY_MS) continue;
    bytes += sizes[index] ?? 0;
    entries += 1;
  }
  return { bytes, entries };
}

/** How much has to go for the file system to have enough free. */
function missingBytes(root: EvictedRoot, minFree: Share | null): number {
  if (minFree === null || root.host.files.lstat(root.root) === null) return 0;
  const { freeBytes, totalBytes } = root.host.files.space(root.root);
  return Math.max(0, shareOf(minFree, totalBytes) - freeBytes);
}
