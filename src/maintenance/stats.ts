import { addCounters, type Counters } from '../model/counters.js';
import type { CacheEvent } from '../store/private-state.js';
import { findWorkers, isDead } from '../store/worker-directory.js';
import { measure, NO_FIGURES, type Figures } from './figures.js';
import { readLastVerify } from './last-verify.js';
import { isRecognised, OURS, type MaintainedRoot } from './maintained-root.js';
import type { StatsReport, TroubleLine } from './reports.js';
import { DetailsCollector } from './stats-details.js';

export interface StatsOptions {
  /** What automatic care keeps a home's entries below; null where it is off. */
  readonly limitBytes: number | null;
  /** The age above which the settings let `prune` remove; null where they say nothing. */
  readonly ttlMs: number | null;
  /** Reads every record, which costs a file each. */
  readonly details: boolean;
}

const DEFAULTS: StatsOptions = { limitBytes: null, ttlMs: null, details: false };

/**
 * Figures of a root: what lies in it, and what was counted for it in the home and in the state directory. Whether worker
 * directories are dead is not known to it: see {@link countDeadWorkers}.
 */
export async function collectStats(
  root: MaintainedRoot,
  options: StatsOptions = DEFAULTS,
): Promise<StatsReport> {
  const nowMs = root.host.clock.nowMs();
  const details = options.details ? new DetailsCollector(root) : null;
  const figures = await figuresOf(root, options, details);
  const { entries, bytes, ourBytes, layouts, temporaryFiles, orphans } = figures;
  const states = root.states();
  return {
    root: root.root,
    entries,
    bytes,
    ourBytes,
    oldestSeconds: entries === 0 ? null : ageSeconds(nowMs, figures.oldestMs),
    newestSeconds: entries === 0 ? null : ageSeconds(nowMs, figures.newestMs),
    counters: sumCounters(states.map((state) => state.readCounters())),
    layouts,
    trouble: troubleLines(
      states.flatMap((state) => state.readEventsSinceZero()),
      nowMs,
    ),
    limitBytes: isCaredFor(root) ? options.limitBytes : null,
    ageHistogram: figures.ages,
    failures: figures.recordsWithoutEntry,
    litter: { temporaryFiles, orphans, bytes: figures.litterBytes, deadWorkers: null },
    unreadable: figures.unreadable,
    reclaimable: {
      expired: options.ttlMs === null ? null : figures.expired,
      damaged: damagedOf(root, nowMs),
    },
    details: details?.details() ?? null,
  };
}

async function figuresOf(
  root: MaintainedRoot,
  { ttlMs }: StatsOptions,
  details: DetailsCollector | null,
): Promise<Figures> {
  if (!isRecognised(root)) return NO_FIGURES;
  // A store that is a link is an error of its own, not an empty one.
  if (OURS.has(root.kind())) root.openStore();
  return measure(root, { ttlMs, onArtifact: details?.onArtifact ?? null });
}

function damagedOf(root: MaintainedRoot, nowMs: number): StatsReport['reclaimable']['damaged'] {
  const last = readLastVerify(root);
  if (last === null) return null;
  return { entries: last.damaged, bytes: last.damagedBytes, ageSeconds: ageSeconds(nowMs, last.atMs) };
}

/** Automatic care works on homes only. */
function isCaredFor(root: MaintainedRoot): boolean {
  return root.kind() === 'home';
}

/** Worker directories that a killed process left. Looks at each owner's lock for a moment, and changes nothing. */
export async function countDeadWorkers(root: MaintainedRoot): Promise<number> {
  // A flat store has none, and its top level holds all its entries.
  if (!OURS.has(root.kind()) || root.kind() === 'store') return 0;
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
