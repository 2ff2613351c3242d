import type { StatsReport, TroubleLine } from '../../maintenance/reports.js';
import { counterGroup, hitRatePpm, type CounterName, type Counters } from '../../model/counters.js';
import { isHit, OUTCOMES } from '../../model/lifecycle.js';
import { formatBytes, formatCount, formatDuration, formatPercent } from '../../model/units.js';
import type { Paint } from '../color.js';
import { jsonSeconds, renderJson } from './json.js';
import { renderTable } from './table.js';
import { plural, printable, wrap } from './text.js';

const WIDTH = 80;
const NO_COUNTERS: Counters = { sinceMs: Number.NaN, values: new Map() };

/** Trouble first, then the figure that decides, then what it consists of; at most 80 columns but for long paths. */
export function renderStats(report: StatsReport, paint: Paint): string {
  const counters = report.counters ?? NO_COUNTERS;
  return [
    trouble(report.trouble, paint),
    `${paint.strong(headline(counters))}\n${contents(report)}\n`,
    renderTable({ head: null, align: ['left', 'right', 'right'], rows: alignWholes(counterRows(counters)) }),
    layouts(report, paint),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function trouble(rows: readonly TroubleLine[], paint: Paint): string {
  return rows
    .map(({ kind, count, message, lastSeconds }) => {
      const times = plural(formatCount(count), 'time', 'times');
      const last = lastSeconds === null ? '' : `, last ${formatDuration(lastSeconds)} ago`;
      const text = message === null ? '' : wrap(printable(message), { width: WIDTH, indent: 2 });
      return `${paint.bad(`trouble: ${kind}, ${times}${last}`)}\n${text}`;
    })
    .join('');
}

function headline(counters: Counters): string {
  const count = (name: CounterName): number => counters.values.get(name) ?? 0;
  const since = sinceText(counters);
  if (count('lookups') === 0)
    return since === null ? 'no lookups yet' : `no lookups since ${since.slice(0, 10)}`;
  const rate = formatPercent(count('hits'), count('lookups'));
  const saved = formatDuration(count('savedMilliseconds') / 1000);
  return `${rate} hits, ${saved} saved${since === null ? '' : ` since ${since.slice(0, 10)}`}`;
}

/** ISO 8601; null when nothing was counted, or by a clock beyond all dates. */
function sinceText({ sinceMs }: Counters): string | null {
  const date = new Date(sinceMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function contents({ root, entries, bytes, oldestSeconds, newestSeconds }: StatsReport): string {
  const size = `${plural(formatCount(entries), 'entry', 'entries')}, ${formatBytes(bytes)} in ${printable(root)}`;
  if (oldestSeconds === null || newestSeconds === null) return size;
  const newest = formatDuration(newestSeconds);
  const oldest = formatDuration(oldestSeconds);
  return `${size}\nlast used ${newest === oldest ? newest : `${newest} to ${oldest}`} ago`;
}

const SLASH = ' / ';

type Row = readonly [string, string, string];

/** Pads what stands behind a slash, so that the slashes of all rows are below each other. */
function alignWholes(rows: readonly Row[]): readonly Row[] {
  const width = Math.max(...rows.map(([, figure]) => figure.split(SLASH)[1]?.length ?? 0));
  return rows.map(([label, figure, note]) => {
    const [part = '', whole] = figure.split(SLASH);
    return [label, whole === undefined ? part : `${part}${SLASH}${whole.padStart(width)}`, note];
  });
}

/** A tree like the one of `ccache -s`: what is zero is left out below the first level. */
function counterRows(counters: Counters): readonly Row[] {
  const count = (name: CounterName): number => counters.values.get(name) ?? 0;
  const lookups = count('lookups');
  const outcomes = Object.entries(counterGroup(counters, 'outcome'));
  const hitOutcomes = outcomes.filter(([name]) =>
    OUTCOMES.some((outcome) => outcome === name && isHit(outcome)),
  );
  const missOutcomes = outcomes.filter((entry) => !hitOutcomes.includes(entry));
  return [
    ['Lookups', formatCount(lookups), ''],
    share(1, 'Hits', count('hits'), lookups),
    ...shares(2, hitOutcomes, count('hits')),
    share(1, 'Misses', count('misses'), lookups),
    ...shares(2, missOutcomes, count('misses')),
    ...group('Reasons of misses', Object.entries(counterGroup(counters, 'missReason')), count('misses')),
    ...group('Uncacheable calls', Object.entries(counterGroup(counters, 'uncacheable')), null),
    ...group('Calls without cache', Object.entries(counterGroup(counters, 'degraded')), null),
    ['Stored', formatCount(count('puts')), ''],
    ...present('  Rejected', count('rejectedPuts')),
    ...present('Waits for another process', count('waits')),
    ...(count('evictions') === 0
      ? []
      : [['Evictions', formatCount(count('evictions')), formatBytes(count('evictedBytes'))] as const]),
    ...present('Flushes', count('flushes')),
    ...present('  Failed', count('flushErrors')),
  ];
}

function share(depth: number, label: string, part: number, whole: number): Row {
  return [
    `${'  '.repeat(depth)}${label}`,
    `${formatCount(part)}${SLASH}${formatCount(whole)}`,
    formatPercent(part, whole),
  ];
}

function shares(
  depth: number,
  entries: readonly (readonly [string, number])[],
  whole: number,
): readonly Row[] {
  return entries.toSorted((a, b) => b[1] - a[1]).map(([label, part]) => share(depth, label, part, whole));
}

/** A heading with its parts; without a total of its own it is their sum. */
function group(
  label: string,
  entries: readonly (readonly [string, number])[],
  total: number | null,
): readonly Row[] {
  if (entries.length === 0) return [];
  const whole = total ?? entries.reduce((sum, [, part]) => sum + part, 0);
  return [[label, formatCount(whole), ''], ...shares(1, entries, whole)];
}

function present(label: string, count: number): readonly Row[] {
  return count === 0 ? [] : [[label, formatCount(count), '']];
}

function layouts({ layouts: figures }: StatsReport, paint: Paint): string {
  if (figures.length < 2) return '';
  const rows = figures.map(({ layout, entries, bytes }) => [
    layout,
    formatCount(entries),
    formatBytes(bytes),
  ]);
  return renderTable({ head: ['Layout', 'Entries', 'Size'], align: ['left', 'right', 'right'], rows }, paint);
}

/** `vyre-cache.stats/1`. */
export function renderStatsJson(report: StatsReport): string {
  const counters = report.counters ?? NO_COUNTERS;
  const count = (name: CounterName): number => counters.values.get(name) ?? 0;
  return renderJson('vyre-cache.stats/1', {
    root: report.root,
    entries: report.entries,
    bytes: report.bytes,
    oldestSeconds: jsonSeconds(report.oldestSeconds),
    newestSeconds: jsonSeconds(report.newestSeconds),
    counters: {
      since: sinceText(counters),
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
    },
    hitRatePpm: hitRatePpm(count('hits'), count('lookups')),
    savedSeconds: jsonSeconds(count('savedMilliseconds') / 1000),
    layouts: report.layouts.map(({ layout, entries, bytes }) => ({ layout, entries, bytes })),
    trouble: report.trouble.map(({ kind, count: times, message, lastSeconds }) => ({
      kind,
      count: times,
      message,
      lastSeconds: jsonSeconds(lastSeconds),
    })),
  });
}
