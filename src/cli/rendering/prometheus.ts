import type { StatsReport } from '../../maintenance/reports.js';
import type { CounterName } from '../../model/counters.js';
import { DEGRADED, MISS_REASONS, OUTCOMES, UNCACHEABLE } from '../../model/lifecycle.js';
import { NO_COUNTERS } from './counters.js';

interface Sample {
  /** Besides the root. */
  readonly label: readonly [name: string, value: string] | null;
  readonly value: number;
}

/** All samples of one name. */
interface Family {
  /** Without the common prefix. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

const PREFIX = 'vyre_cache_';

/**
 * The text exposition format 0.0.4 of Prometheus. The order never changes; every known word is there from the first
 * scrape on; what has no value (the age of the oldest of no entries) is left out.
 */
export function renderPrometheus(report: StatsReport): string {
  const root = escapeLabel(report.root);
  return [...counterFamilies(report), ...wordFamilies(report), ...gaugeFamilies(report)]
    .map((family) => renderFamily(family, root))
    .join('');
}

function renderFamily({ name, type, help, samples }: Family, root: string): string {
  const full = `${PREFIX}${name}`;
  const known = samples.filter(({ value }) => Number.isFinite(value));
  if (known.length === 0) return '';
  const lines = known.map(({ label, value }) => {
    const own = label === null ? '' : `,${label[0]}="${escapeLabel(label[1])}"`;
    return `${full}{root="${root}"${own}} ${value}`;
  });
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines].map((line) => `${line}\n`).join('');
}

function escapeLabel(text: string): string {
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('"', String.raw`\"`);
}

function single(value: number | null): readonly Sample[] {
  return value === null ? [] : [{ label: null, value }];
}

/** Those that count one thing each, in the order of the JSON document. */
const COUNTERS: readonly (readonly [name: string, counter: CounterName, help: string])[] = [
  ['lookups_total', 'lookups', 'Requests of compile and get.'],
  ['hits_total', 'hits', 'Lookups that were answered from the cache.'],
  ['misses_total', 'misses', 'Lookups that were not.'],
  ['puts_total', 'puts', 'Artifacts that were stored.'],
  ['rejected_puts_total', 'rejectedPuts', 'Artifacts that could not be stored.'],
  ['evictions_total', 'evictions', 'Valid artifacts that were removed by policy.'],
  ['evicted_bytes_total', 'evictedBytes', 'Bytes of the artifacts that were removed by policy.'],
  ['flushes_total', 'flushes', 'Runs of flush.'],
  ['flush_errors_total', 'flushErrors', 'Entries that flush could not make durable.'],
  ['waits_total', 'waits', 'Lookups that waited for another process.'],
];

function counterFamilies({ counters }: StatsReport): readonly Family[] {
  const { values } = counters ?? NO_COUNTERS;
  const plain = COUNTERS.map(([name, counter, help]): Family => {
    return { name, type: 'counter', help, samples: single(values.get(counter) ?? 0) };
  });
  const saved: Family = {
    name: 'saved_seconds_total',
    type: 'counter',
    help: 'Time that hits have saved.',
    samples: single((values.get('savedMilliseconds') ?? 0) / 1000),
  };
  return [...plain, saved];
}

/** Those that are told apart by words; words without a count are 0. */
function wordFamilies({ counters }: StatsReport): readonly Family[] {
  const { values } = counters ?? NO_COUNTERS;
  const family = (
    group: { readonly name: string; readonly label: string; readonly help: string },
    words: readonly string[],
    counterOf: (word: string) => string,
  ): Family => {
    const counted: ReadonlyMap<string, number> = values;
    const samples = words.map((word) => ({
      label: [group.label, word] as const,
      value: counted.get(counterOf(word)) ?? 0,
    }));
    return { name: group.name, type: 'counter', help: group.help, samples };
  };
  return [
    family(
      { name: 'outcomes_total', label: 'outcome', help: 'Lookups by how they ended.' },
      OUTCOMES,
      (word) => `outcome:${word}`,
    ),
    family(
      { name: 'miss_reasons_total', label: 'reason', help: 'Misses by their reason.' },
      MISS_REASONS,
      (word) => `missReason:${word}`,
    ),
    family(
      { name: 'uncacheable_total', label: 'reason', help: 'Calls and results that could not be cached.' },
      UNCACHEABLE,
      (word) => `uncacheable:${word}`,
    ),
    family(
      { name: 'degraded_total', label: 'reason', help: 'Calls for which the cache could not be used.' },
      DEGRADED,
      (word) => `degraded:${word}`,
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'gauge', help, samples };
}

function gaugeFamilies(report: StatsReport): readonly Family[] {
  const { litter, trouble } = report;
  const litterSamples = [
    { label: ['kind', 'temporary-files'] as const, value: litter.temporaryFiles },
    { label: ['kind', 'dead-workers'] as const, value: litter.deadWorkers ?? Number.NaN },
    { label: ['kind', 'orphans'] as const, value: litter.orphans },
  ];
  const { expired, damaged } = report.reclaimable;
  const formats = report.layouts.flatMap((each) => each.formats);
  const byFormat = (figure: 'entries' | 'bytes'): readonly Sample[] =>
    formats.map((each) => ({ label: ['format', each.format], value: each[figure] }));
  const since = (report.counters ?? NO_COUNTERS).sinceMs / 1000;
  return [
    gauge('entries', 'Artifacts below the root.', single(report.entries)),
    gauge('size_bytes', 'Size of the artifacts with all their files.', single(report.bytes)),
    gauge(
      'limit_bytes',
      'What automatic care keeps the entries with our records below.',
      single(report.limitBytes),
    ),
    gauge('oldest_use_age_seconds', 'Time since the oldest last use.', single(report.oldestSeconds)),
    gauge('newest_use_age_seconds', 'Time since the newest last use.', single(report.newestSeconds)),
    gauge('format_entries', 'Entries by the kind of artifact.', byFormat('entries')),
    gauge('format_size_bytes', 'Their size by the kind of artifact.', byFormat('bytes')),
    gauge(
      'expired_bytes',
      'Size of the entries past the TTL of the settings.',
      single(expired?.bytes ?? null),
    ),
    gauge('damaged', 'Damaged entries at the last verification.', single(damaged?.entries ?? null)),
    gauge('unreadable', 'Files and folders that could not be looked at.', single(report.unreadable.length)),
    gauge('records_without_entry', 'Records without an entry: remembered failures.', single(report.failures)),
    gauge('litter', 'What crashes left behind.', litterSamples),
    gauge(
      'trouble',
      'Trouble in the journal by its kind.',
      trouble.map(({ kind, count }) => ({ label: ['kind', kind], value: count })),
    ),
    gauge('counters_start_timestamp_seconds', 'When counting began.', single(since)),
  ];
}
