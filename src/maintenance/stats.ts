import { addCounters, type Counters } from '../model/counters.js';
import type { CacheEvent, PrivateState } from '../store/private-state.js';
import { eachEntry } from './list.js';
import { layoutOf, type MaintainedRoot } from './maintained-root.js';
import type { StatsReport, TroubleLine } from './reports.js';

/** Figures of a root: what lies in its store, and what was counted for it in the home and in the state directory. */
export function collectStats(root: MaintainedRoot): StatsReport {
  const { host } = root;
  const nowMs = host.clock.nowMs();
  const layout = layoutOf(root.kind());
  const store = layout === null ? null : root.openStore();
  let entries = 0;
  let bytes = 0;
  let oldestMs = Infinity;
  let newestMs = -Infinity;
  if (store !== null) {
    eachEntry(root, store, (fingerprint, stat) => {
      entries += 1;
      bytes += stat.bytes + (host.files.lstat(store.paths.record(fingerprint))?.bytes ?? 0);
      oldestMs = Math.min(oldestMs, stat.mtimeMs);
      newestMs = Math.max(newestMs, stat.mtimeMs);
    });
  }
  const states = root.states();
  return {
    root: root.root,
    entries,
    bytes,
    oldestSeconds: entries === 0 ? null : ageSeconds(nowMs, oldestMs),
    newestSeconds: entries === 0 ? null : ageSeconds(nowMs, newestMs),
    counters: sumCounters(states),
    layouts: layout === null ? [] : [{ layout: layout.name, entries, bytes }],
    trouble: troubleLines(
      states.flatMap((state) => state.readEvents()),
      nowMs,
    ),
  };
}

/** A time in the future counts as now. */
function ageSeconds(nowMs: number, thenMs: number): number {
  return Math.max(0, (nowMs - thenMs) / 1000);
}

function sumCounters(states: readonly PrivateState[]): Counters | null {
  return states
    .map((state) => state.readCounters())
    .reduce((sum, counters) => {
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
