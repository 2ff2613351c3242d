import type { NumberedRemovals, RemovalReport } from '../../maintenance/reports.js';
import { formatBytes, formatCount, formatDuration } from '../../model/units.js';
import type { Paint } from '../color.js';
import { HEX_LENGTH } from '../../model/fingerprint.js';
import { hasHexAt } from '../../model/hex.js';
import { jsonSeconds } from './json.js';
import { printable, shortFingerprint, SHOWN_HEX } from './text.js';

/** Pieces that the collector copies cheaply: a dry run with eight times as much takes 4 % longer, with 64 times 12 %. */
const CHUNK_CHARACTERS = 8192;
/** Wide enough for what `formatBytes` and `formatDuration` make of everything but thousands of days. */
const SIZE_WIDTH = 8;
const AGE_WIDTH = 9;
/** From an hour on `formatDuration` rounds to minutes or hours: within half a minute all have the same text. */
const AGE_STEP_FROM_SECONDS = 3600;
const AGE_STEP_SECONDS = 30;
/** Texts of a kind; some tens of kilobytes. */
const MAX_REMEMBERED = 1024;
const ENTRY_SUFFIX = '.bin';
const ENTRY_NAME_LENGTH = HEX_LENGTH + ENTRY_SUFFIX.length;

interface LineOptions {
  readonly paint: Paint;
  readonly verbose: boolean;
}

/** One line per removal, in pieces: its path, its size, its age, its reason. */
export function* renderRemovals(
  { removed }: Pick<RemovalReport, 'removed'>,
  { paint, verbose }: LineOptions,
): Generator<string> {
  const cells = new Cells(paint);
  yield* joined(removed, ({ path, bytes, ageSeconds, reason }) => {
    const name = verbose ? printable(path) : shortName(path);
    return name + cells.size(bytes) + cells.age(ageSeconds) + cells.reason(reason);
  });
}

/** The same of removals that have numbers: no object and no path is made for a fingerprint that is cut anyway. */
export function* renderNumberedRemovals(removed: NumberedRemovals, options: LineOptions): Generator<string> {
  if (options.verbose) {
    yield* renderRemovals({ removed }, options);
    return;
  }
  const cells = new Cells(options.paint);
  let piece = '';
  for (let at = 0; at < removed.count; at += 1) {
    piece += removed.fingerprintStart(at, SHOWN_HEX) ?? shortName(removed.path(at));
    piece += cells.size(removed.bytes(at));
    piece += cells.age(removed.ageSeconds(at));
    piece += cells.reason(removed.reason(at));
    if (piece.length < CHUNK_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** What stands behind a name in a line. */
class Cells {
  readonly size = remembered((bytes: number) => `  ${formatBytes(bytes).padStart(SIZE_WIDTH)}`);
  readonly reason: (reason: string) => string;
  readonly #age = remembered((seconds: number) => `  ${formatDuration(seconds).padStart(AGE_WIDTH)}`);

  constructor(paint: Paint) {
    this.reason = remembered((reason: string) => `  ${paint.faint(reason)}\n`);
  }

  age(seconds: number): string {
    return this.#age(seconds < AGE_STEP_FROM_SECONDS ? seconds : seconds - (seconds % AGE_STEP_SECONDS));
  }
}

/** A text is made once as long as there are few different ones: sizes and ages repeat. */
function remembered<T>(textOf: (value: T) => string): (value: T) => string {
  const known = new Map<T, string>();
  return (value) => {
    let text = known.get(value);
    if (text !== undefined) return text;
    text = textOf(value);
    if (known.size === MAX_REMEMBERED) known.clear();
    known.set(value, text);
    return text;
  };
}

/** The fingerprint of an entry, cut; of anything else its path. By places in the path: there may be a million. */
function shortName(path: string): string {
  const start = path.length - ENTRY_NAME_LENGTH;
  const isName = start === 0 || path[start - 1] === '/';
  if (!isName || !path.endsWith(ENTRY_SUFFIX)) return printable(path);
  return hasHexAt(path, start, HEX_LENGTH) ? shortFingerprint(path.slice(start)) : printable(path);
}

/** What could not be looked at or removed, one line each. */
export function renderRemovalFailures({ failures }: RemovalReport): readonly string[] {
  return failures.map(({ path, error }) => `"${printable(path)}" cannot be looked at or removed (${error})`);
}

/** The sentence of a report without removals. */
export function nothingRemoved({ failures }: RemovalReport): string {
  return failures.length === 0 ? 'Nothing to remove' : 'Nothing removed';
}

/** What a sentence of removals says of those that stay: `; 3 in use; 2 failed`. */
export function whatStays({ inUse, failures }: RemovalReport): string {
  const used = inUse === 0 ? '' : `; ${formatCount(inUse)} in use`;
  return failures.length === 0 ? used : `${used}; ${formatCount(failures.length)} failed`;
}

/** `vyre-cache.prune/1` and `vyre-cache.gc/1`, in pieces: a list of a million rows is never held as text. */
export function* renderRemovalsJson(
  schema: string,
  report: RemovalReport,
  more: Readonly<Record<string, unknown>> = {},
): Generator<string> {
  const { root, dryRun, removed, removedCount, removedBytes, keptCount, keptBytes, inUse, failures } = report;
  const head = JSON.stringify({ schema, root, dryRun });
  yield `${head.slice(0, -1)},"removed":[`;
  let first = true;
  yield* joined(removed, ({ path, reason, bytes, ageSeconds }) => {
    const text = JSON.stringify({ path, reason, bytes, ageSeconds: jsonSeconds(ageSeconds) });
    const line = first ? text : `,${text}`;
    first = false;
    return line;
  });
  const tail = JSON.stringify({ removedCount, removedBytes, keptCount, keptBytes, inUse, failures, ...more });
  yield `],${tail.slice(1)}\n`;
}

/** The texts of the items in pieces of a size that is worth a write. */
function* joined<T>(items: Iterable<T>, text: (item: T) => string): Generator<string> {
  let piece = '';
  for (const item of items) {
    piece += text(item);
    if (piece.length < CHUNK_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
