import type { PruneReport, Removal, RemovalReport } from '../../maintenance/reports.js';
import { formatBytes, formatCount, formatDuration } from '../../model/units.js';
import type { Paint } from '../color.js';
import { jsonSeconds } from './json.js';
import { plural, printable } from './text.js';

/** Few writes, and little in memory. */
const CHUNK_CHARACTERS = 65_536;
/** Wide enough for what `formatBytes` and `formatDuration` make of everything but thousands of days. */
const SIZE_WIDTH = 8;
const AGE_WIDTH = 9;
/** Enough to be unique among millions of entries, and accepted wherever a fingerprint is. */
const SHOWN_HEX = 16;

/** The words of a removal: what was done, and what a dry run would do. */
export interface RemovalWords {
  readonly done: string;
  readonly would: string;
  /** What one row is. */
  readonly one: string;
  readonly many: string;
}

/** One line per removal, in pieces: its size, its age, its reason, its path. */
export function* renderRemovals(
  report: RemovalReport,
  options: { readonly paint: Paint; readonly verbose: boolean },
): Generator<string> {
  yield* joined(map(report.removed, (removal) => row(removal, options)));
}

function row(
  { path, reason, bytes, ageSeconds }: Removal,
  { paint, verbose }: { readonly paint: Paint; readonly verbose: boolean },
): string {
  const size = formatBytes(bytes).padStart(SIZE_WIDTH);
  const age = formatDuration(ageSeconds).padStart(AGE_WIDTH);
  const name = printable(verbose ? path : shortPath(path));
  return `${name}  ${size}  ${age}  ${paint.faint(reason)}\n`;
}

/** The fingerprint of an entry, cut; any other path as it is. */
function shortPath(path: string): string {
  const fingerprint = /(?:^|\/)([0-9a-f]{64})\.bin$/.exec(path)?.[1];
  return fingerprint === undefined ? path : fingerprint.slice(0, SHOWN_HEX);
}

/** `Freed 1.2 GiB (37 entries: 30 by ttl, 7 by max-size)`, without its end. */
export function renderFreed(report: RemovalReport, words: RemovalWords): string {
  const { dryRun, removedCount, removedBytes } = report;
  if (removedCount === 0) return 'Nothing to remove';
  const reasons = new Map<string, number>();
  for (const { reason } of report.removed) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const parts = [...reasons].map(([reason, count]) => `${formatCount(count)} by ${reason}`);
  const what = plural(formatCount(removedCount), words.one, words.many);
  const verb = dryRun ? words.would : words.done;
  return `${verb} ${formatBytes(removedBytes)} (${what}: ${parts.join(', ')})`;
}

/** What could not be removed, one line each. */
export function renderRemovalFailures({ failures }: RemovalReport): readonly string[] {
  return failures.map(({ path, error }) => `"${printable(path)}" cannot be removed (${error})`);
}

/** `vyre-cache.prune/1` and `vyre-cache.gc/1`, in pieces: a list of a million rows is never held as text. */
export function* renderRemovalsJson(schema: string, report: RemovalReport): Generator<string> {
  const { root, dryRun, removed, removedCount, removedBytes, keptCount, keptBytes, inUse, failures } = report;
  const head = JSON.stringify({ schema, root, dryRun });
  yield `${head.slice(0, -1)},"removed":[`;
  let first = true;
  yield* joined(
    map(removed, ({ path, reason, bytes, ageSeconds }) => {
      const text = JSON.stringify({ path, reason, bytes, ageSeconds: jsonSeconds(ageSeconds) });
      const line = first ? text : `,${text}`;
      first = false;
      return line;
    }),
  );
  const tail = JSON.stringify({ removedCount, removedBytes, keptCount, keptBytes, inUse, failures });
  yield `],${tail.slice(1)}\n`;
}

function* map<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item);
}

/** The texts in pieces of a size that is worth a write. */
function* joined(texts: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length < CHUNK_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

const PRUNE_WORDS: RemovalWords = { done: 'Freed', would: 'Would free', one: 'entry', many: 'entries' };

/** What was freed, what is left, of which limit; in one sentence. */
export function renderPrune(report: PruneReport): string {
  const { keptBytes, keptCount, inUse, limits } = report;
  const entries = plural(formatCount(keptCount), 'entry', 'entries');
  const left = keptCount === 0 ? 'nothing' : `${formatBytes(keptBytes)} in ${entries}`;
  const stay = report.dryRun && report.removedCount > 0 ? 'would be left' : 'left';
  const of = [
    ...(limits.maxBytes === null ? [] : [formatBytes(limits.maxBytes)]),
    ...(limits.maxEntries === null ? [] : [plural(formatCount(limits.maxEntries), 'entry', 'entries')]),
  ];
  const used = inUse === 0 ? '' : `; ${formatCount(inUse)} in use`;
  return `${renderFreed(report, PRUNE_WORDS)}; ${left} ${stay}${of.length === 0 ? '' : ` of ${of.join(' and ')}`}${used}\n`;
}

/** What a user should know about the rules, one line each. */
export function renderPruneWarnings({
  limits,
  keptBytes,
  keptCount,
  lastDay,
}: PruneReport): readonly string[] {
  const { maxBytes, maxEntries } = limits;
  const warnings: string[] = [];
  if (maxBytes !== null && lastDay.bytes > maxBytes) warnings.push(thrashing(formatBytes(lastDay.bytes)));
  else if (maxEntries !== null && lastDay.entries > maxEntries)
    warnings.push(thrashing(plural(formatCount(lastDay.entries), 'entry', 'entries')));
  const over = (maxBytes !== null && keptBytes > maxBytes) || (maxEntries !== null && keptCount > maxEntries);
  if (over)
    warnings.push(
      'the limit is still exceeded: what is left is too young for --min-age, in use, or could not be removed',
    );
  return warnings;
}

function thrashing(used: string): string {
  return `the limit is below what was used during the last day (${used}): entries go before they are used again`;
}
