import type { StatsReport, TroubleLine } from '../../maintenance/reports.js';
import { counterGroup, type CounterName, type Counters } from '../../model/counters.js';
import { isHit, OUTCOMES } from '../../model/lifecycle.js';
import { formatBytes, formatCount, formatDuration, formatPercent } from '../../model/units.js';
import type { Paint } from '../color.js';
import { countedSince, NO_COUNTERS } from './counters.js';
import { renderDetails } from './stats-details.js';
import { renderTable } from './table.js';
import { counted, plural, printable, wrap } from './text.js';

const WIDTH = 80;

/** Trouble first, then the figure that decides, then what it consists of; at most 80 columns but for long paths. */
export function renderStats(report: StatsReport, paint: Paint): string {
  const counters = report.counters ?? NO_COUNTERS;
  return [
    trouble(report.trouble, paint),
    `${paint.strong(headline(counters))}\n${contents(report)}`,
    ages(report, paint),
    renderTable({ head: null, align: ['left', 'right', 'right'], rows: alignWholes(counterRows(counters)) }),
    layouts(report, paint),
    report.details === null ? '' : renderDetails(report.details, paint),
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
      return `${paint.bad(`trouble: ${printable(kind)}, ${times}${last}`)}\n${text}`;
    })
    .join('');
}

function headline(counters: Counters): string {
  const count = (name: CounterName): number => counters.values.get(name) ?? 0;
  const since = countedSince(counters);
  if (count('lookups') === 0)
    return since === null ? 'no lookups yet' : `no lookups since ${since.slice(0, 10)}`;
  const rate = formatPercent(count('hits'), count('lookups'));
  const saved = formatDuration(count('savedMilliseconds') / 1000);
  return `${rate} hits, ${saved} saved${since === null ? '' : ` since ${since.slice(0, 10)}`}`;
}

/** Lines about what lies on the disk; those that would say nothing are left out. */
function contents(report: StatsReport): string {
  return [sizeLine(report), useLine(report), failureLine(report), reclaimableLine(report)]
    .filter((line) => line !== null)
    .map((line) => `${line}\n`)
    .join('');
}

function sizeLine(report: StatsReport): string {
  const { root, entries, bytes, limitBytes, ourBytes } = report;
  const count = plural(formatCount(entries), 'entry', 'entries');
  const where = printable(root);
  if (limitBytes === null) return `${count}, ${formatBytes(bytes)} in ${where}`;
  const ofLimit = `of ${formatBytes(limitBytes)} (${formatPercent(ourBytes, limitBytes)})`;
  if (ourBytes === bytes) return `${count}, ${formatBytes(bytes)} ${ofLimit} in ${where}`;
  return `${count}, ${formatBytes(bytes)} in ${where}, ours ${formatBytes(ourBytes)} ${ofLimit}`;
}

function useLine({ oldestSeconds, newestSeconds }: StatsReport): string | null {
  if (oldestSeconds === null || newestSeconds === null) return null;
  const newest = formatDuration(newestSeconds);
  const oldest = formatDuration(oldestSeconds);
  return `last used ${newest === oldest ? newest : `${newest} to ${oldest}`} ago`;
}

function failureLine({ failures }: StatsReport): string | null {
  if (failures === 0) return null;
  return `${plural(formatCount(failures), 'record', 'records')} without an entry (remembered failures)`;
}

/** What could go now, and by which command. */
function reclaimableLine({ litter, reclaimable }: StatsReport): string | null {
  const { temporaryFiles, orphans, bytes, deadWorkers } = litter;
  const { expired, damaged } = reclaimable;
  const size = bytes === 0 ? '' : ` (${formatBytes(bytes)})`;
  const parts = [
    ...counted(temporaryFiles, `temporary file${size}`, `temporary files${size}`),
    ...counted(orphans, 'orphaned file', 'orphaned files'),
    ...counted(
      deadWorkers ?? 0,
      'worker directory of a dead process',
      'worker directories of dead processes',
    ),
    ...counted(damaged?.entries ?? 0, 'damaged').map(
      (text) => `${text} (${formatBytes(damaged?.bytes ?? 0)}) at the last verify`,
    ),
    ...counted(expired?.entries ?? 0, 'past the TTL', 'past the TTL').map(
      (text) => `${text} (${formatBytes(expired?.bytes ?? 0)})`,
    ),
  ];
  if (parts.length === 0) return null;
  return wrap(`reclaimable: ${parts.join(', ')}`, { width: WIDTH, indent: 0 }).trimEnd();
}

/** Where all entries are of one age group, the line above says it better. */
function ages({ ageHistogram, entries, bytes }: StatsReport, paint: Paint): string {
  if (ageHistogram.filter((each) => each.entries > 0).length < 2) return '';
  const rows = ageHistogram.map((each) => [
    each.withinSeconds === null ? 'longer ago' : `within ${formatDuration(each.withinSeconds)}`,
    formatCount(each.entries),
    formatPercent(each.entries, entries),
    formatBytes(each.bytes),
    formatPercent(each.bytes, bytes),
  ]);
  const head = ['Last used', 'Entries', '', 'Size', ''];
  return renderTable({ head, align: ['left', 'right', 'right', 'right', 'right'], rows }, paint);
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
    ...shares(2, [...missOutcomes, ...lookedUpOnly(missOutcomes, count('misses'))], count('misses')),
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

/** Misses of `get`, which never compiles: they have no outcome of their own. */
function lookedUpOnly(
  missOutcomes: readonly (readonly [string, number])[],
  misses: number,
): readonly (readonly [string, number])[] {
  const rest = missOutcomes.reduce((left, [, part]) => left - part, misses);
  return rest > 0 ? [['looked up only', rest]] : [];
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

/** One row a kind of artifact, where there are several. */
function layouts({ layouts: figures, bytes: all }: StatsReport, paint: Paint): string {
  const rows = figures.flatMap(({ layout, formats }) =>
    formats.map(({ format, entries, bytes }) => [
      layout,
      format,
      formatCount(entries),
      formatBytes(bytes),
      formatPercent(bytes, all),
    ]),
  );
  const isPlain = rows.length === 1 && rows[0]?.[1] === 'entry';
  if (rows.length === 0 || isPlain) return '';
  const head = ['Layout', 'Kind', 'Entries', 'Size', ''];
  return renderTable({ head, align: ['left', 'left', 'right', 'right', 'right'], rows }, paint);
}
