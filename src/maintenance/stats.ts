import { addCounters, type Counters } from '../model/counters.js';
import { vyreLayout } from '../layouts/vyre/vyre-layout.js';
import type { CacheEvent } from '../store/private-state.js';
import { findWorkers, isDead } from '../store/worker-directory.js';
import { layoutOf, type MaintainedRoot } from './maintained-root.js';
import type { StatsReport, TroubleLine } from './reports.js';
import { DetailsCollector } from './stats-details.js';
import { measureStore, NO_FIGURES } from './store-figures.js';

export interface StatsOptions {
  /** What automatic care keeps a home's entries below; null where it is off. */
  readonly limitBytes: number | null;
  /** Reads every record, which costs a file each. */
  readonly details: boolean;
}

const DEFAULTS: StatsOptions = { limitBytes: null, details: false };

/**
 * Figures of a root: what lies in its store, and what was counted for it in the home and in the state directory. Whether
 * worker directories are dead is not known to it: see {@link countDeadWorkers}.
 */
export function collectStats(root: MaintainedRoot, options: StatsOptions = DEFAULTS): StatsReport {
  const nowMs = root.host.clock.nowMs();
  const layout = layoutOf(root.kind());
  const store = layout === null ? null : root.openStore();
  const details = options.details ? new DetailsCollector(store) : null;
  const figures = store === null ? NO_FIGURES : measureStore(root, store, details?.onEntry ?? null);
  const { entries, bytes } = figures;
  const states = root.states();
  return {
    root: root.root,
    entries,
    bytes,
    oldestSeconds: entries === 0 ? null : ageSeconds(nowMs, figures.oldestMs),
    newestSeconds: entries === 0 ? null : ageSeconds(nowMs, figures.newestMs),
    counters: sumCounters(states.map((state) => state.readCounters())),
    layouts: layout === null ? [] : [{ layout: layout.name, entries, bytes }],
    trouble: troubleLines(
      states.flatMap((state) => state.readEventsSinceZero()),
      nowMs,
    ),
    limitBytes: isCaredFor(root) ? options.limitBytes : null,
    ageHistogram: figures.ages,
    failures: figures.recordsWithoutEntry,
    litter: { temporaryFiles: figures.temporaryFiles, deadWorkers: null },
    details: details?.details() ?? null,
  };
}

/** Automatic care works on homes only. */
function isCaredFor(root: MaintainedRoot): boolean {
  return root.kind() === 'home';
}

/** Worker directories that a killed process left. Looks at each owner's lock for a moment, and changes nothing. */
export async function countDeadWorkers(root: MaintainedRoot): Promise<number> {
  // A flat store has none, and its top level holds all its entries.
  if (layoutOf(root.kind()) !== vyreLayout) return 0;
  let dead = 0;
  for (const worker of findWorkers(root.host, root.paths)) {
    if (await isDead(root.host, worker)) dead += 1;
  }
  return dead;
}

/** A time in the future counts as now. */
function ageSeconds(nowMs: number, thenMs: number): number {
  return Math.max(0, (nowMs - thenMs) / 1000);
}

/** Null when nothing was counted anywhere. */
export function sumCounters(all: readonly (Counters | null)[]): Counters | null {
  return all.reduce<Counters | null>((sum, counters) => {
    if (counters === null) return sum;
    return sum === null ? counters : addCounters(sum, counters);
  }, null);
}

/** One line per kind of trouble, the latest first. */
function troubleLines(events: readonly CacheEvent[], nowMs: number): readonly TroubleLine[] {
  const lines = new Map<string, TroubleLine>();
  for (const event of events.toSorted((a, b) => a.atMs - b.atMs)) {
    if (event.kind !== 'trouble' && event.kind !== 'nondeterministic') continue;
    const count = (lines.get(event.reason)?.count ?? 0) + 1;
    const lastSeconds = ageSeconds(nowMs, event.atMs);
    lines.set(event.reason, { kind: event.reason, count, message: event.message, lastSeconds });
  }
  return [...lines.values()].toSorted((a, b) => (a.lastSeconds ?? 0) - (b.lastSeconds ?? 0));
}
