import type { NotableEntry, StatsReport } from '../../maintenance/reports.js';
import { counterGroup, hitRatePpm, type CounterName, type Counters } from '../../model/counters.js';
import { countedSince, NO_COUNTERS } from './counters.js';
import { jsonSeconds, renderJson } from './json.js';

/** `vyre-cache.stats/1`. New keys are appended. */
export function renderStatsJson(report: StatsReport): string {
  const counters = report.counters ?? NO_COUNTERS;
  const count = (name: CounterName): number => counters.values.get(name) ?? 0;
  return renderJson('vyre-cache.stats/1', {
    root: report.root,
    entries: report.entries,
    bytes: report.bytes,
    oldestSeconds: jsonSeconds(report.oldestSeconds),
    newestSeconds: jsonSeconds(report.newestSeconds),
    counters: countersDocument(counters),
    hitRatePpm: hitRatePpm(count('hits'), count('lookups')),
    savedSeconds: jsonSeconds(count('savedMilliseconds') / 1000),
    layouts: report.layouts.map(({ layout, entries, bytes, formats }) => ({
      layout,
      entries,
      bytes,
      formats,
    })),
    trouble: report.trouble.map(({ kind, count: times, message, lastSeconds }) => ({
      kind,
      count: times,
      message,
      lastSeconds: jsonSeconds(lastSeconds),
    })),
    limitBytes: report.limitBytes,
    ageHistogram: report.ageHistogram.map(({ withinSeconds, entries, bytes }) => ({
      withinSeconds,
      entries,
      bytes,
    })),
    failures: report.failures,
    litter: {
      temporaryFiles: report.litter.temporaryFiles,
      deadWorkers: report.litter.deadWorkers,
      orphans: report.litter.orphans,
      bytes: report.litter.bytes,
    },
    ...detailsDocument(report),
    ourBytes: report.ourBytes,
    reclaimable: reclaimableDocument(report),
    unreadable: report.unreadable,
  });
}

function reclaimableDocument({ reclaimable }: StatsReport): Readonly<Record<string, unknown>> {
  const { expired, damaged } = reclaimable;
  return {
    expired,
    damaged:
      damaged === null
        ? null
        : { entries: damaged.entries, bytes: damaged.bytes, ageSeconds: jsonSeconds(damaged.ageSeconds) },
  };
}

function countersDocument(counters: Counters): Readonly<Record<string, unknown>> {
  const count = (name: CounterName): number => counters.values.get(name) ?? 0;
  return {
    since: countedSince(counters),
    lookups: count('lookups'),
    hits: count('hits'),
    misses: count('misses'),
    puts: count('puts'),
    rejectedPuts: count('rejectedPuts'),
    evictions: count('evictions'),
    evictedBytes: count('evictedBytes'),
    flushes: count('flushes'),
    flushErrors: count('flushErrors'),
    waits: count('waits'),
    uncacheable: counterGroup(counters, 'uncacheable'),
    degraded: count('degraded'),
    outcomes: counterGroup(counters, 'outcome'),
    missReasons: counterGroup(counters, 'missReason'),
  };
}

/** Null without `-v`. */
function detailsDocument({ details }: StatsReport): Readonly<Record<string, unknown>> {
  if (details === null) return { compilers: null, largest: null, costliest: null, mostSaving: null };
  return {
    compilers: details.compilers.map(({ compiler, entries, bytes, wallSeconds, uses }) => ({
      compiler,
      entries,
      bytes,
      wallSeconds: jsonSeconds(wallSeconds),
      uses,
    })),
    largest: details.largest.map(entryDocument),
    costliest: details.costliest.map(entryDocument),
    mostSaving: details.mostSaving.map(entryDocument),
  };
}

function entryDocument(entry: NotableEntry): Readonly<Record<string, unknown>> {
  const { fingerprint, bytes, compiler, outputs, path } = entry;
  const wallSeconds = jsonSeconds(entry.wallSeconds);
  const savedSeconds = jsonSeconds(entry.savedSeconds);
  return { fingerprint, bytes, compiler, outputs, wallSeconds, path, savedSeconds };
}
