import type { Share } from './share.js';

/** Why a valid artifact is removed. */
export type RetentionReason = 'all' | 'ttl' | 'max-size' | 'max-entries' | 'min-free';

/** What a user wants kept. Null where a rule is not set. */
export interface RetentionRules {
  /** Everything goes, whatever the other rules say. */
  readonly all: boolean;
  /** PVF: what was last used longer ago goes; exactly this old stays. */
  readonly ttlMs: number | null;
  readonly maxBytes: number | null;
  readonly maxEntries: number | null;
  /** Of the file system that holds the root; `lowWaterPercent` does not apply to it. */
  readonly minFree: Share | null;
  /** PVF: limits take nothing that was used within this time; exactly this old may go. */
  readonly minAgeMs: number | null;
  /** wasmtime: 0 to 100; once `maxBytes` or `maxEntries` is exceeded, both are kept at this share. */
  readonly lowWaterPercent: number | null;
}

/** Nothing goes. */
export const NO_RULES: RetentionRules = {
  all: false,
  ttlMs: null,
  maxBytes: null,
  maxEntries: null,
  minFree: null,
  minAgeMs: null,
  lowWaterPercent: null,
};

/** What can be removed, as columns: a million rows are some tens of megabytes. */
export interface Candidates {
  readonly count: number;
  /** The last use in milliseconds since 1970, whole. */
  readonly usedAtMs: Float64Array;
  readonly bytes: Float64Array;
  /** The order of two that were last used at the same time; never 0 for two different ones. */
  compareNames(a: number, b: number): number;
}

/** When the rules are applied. */
export interface Moment {
  readonly nowMs: number;
  /** Bytes that have to go for the file system to have what `minFree` wants; 0: none. */
  readonly missingBytes: number;
}

export interface Verdict {
  /** The row of the candidate. */
  readonly index: number;
  readonly reason: RetentionReason;
}

/** wasmtime: a time further ahead of the clock than this is a broken clock's. */
export const ALLOWED_DRIFT_MS = 86_400_000;

/**
 * Names what has to go, one candidate at a time. Whoever asks answers each with true when it is gone; one that is not
 * counts further, and another goes in its place.
 *
 * First what is older than the TTL, whatever its size (PVF's first rule). Then one walk over the rest, the least
 * recently used first, until every limit holds, or to the first that is younger than the minimum age (PVF's second
 * rule, wasmtime's cut). A last use in the future is never older than a TTL; in the walk it is the youngest, or, more
 * than a day ahead, the oldest (wasmtime).
 */
export function* judgeCandidates(
  candidates: Candidates,
  rules: RetentionRules,
  { nowMs, missingBytes }: Moment,
): Generator<Verdict, void, boolean> {
  const { usedAtMs, bytes } = candidates;
  const isExpired = (index: number): boolean =>
    rules.ttlMs !== null && nowMs - at(usedAtMs, index) > rules.ttlMs;
  const balance = new Balance(candidates, missingBytes);
  if (rules.all) {
    for (const index of oldestFirst(candidates, nowMs, () => true)) yield { index, reason: 'all' };
    return;
  }
  const expired = rules.ttlMs === null ? [] : oldestFirst(candidates, nowMs, isExpired);
  for (const index of expired) {
    if (yield { index, reason: 'ttl' }) balance.subtract(at(bytes, index));
  }
  const goal = goalOf(rules, balance);
  if (balance.exceeded(goal) === null) return;
  for (const index of oldestFirst(candidates, nowMs, (each) => !isExpired(each))) {
    const reason = balance.exceeded(goal);
    if (reason === null || isYoung(at(usedAtMs, index), rules, nowMs)) return;
    if (yield { index, reason }) balance.subtract(at(bytes, index));
  }
}

interface Goal {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** The limits, or, once one of them is exceeded, their low-water marks. */
function goalOf({ maxBytes, maxEntries, lowWaterPercent }: RetentionRules, balance: Balance): Goal {
  const limits = { maxBytes: maxBytes ?? Infinity, maxEntries: maxEntries ?? Infinity };
  if (lowWaterPercent === null || !balance.isAbove(limits)) return limits;
  return {
    maxBytes: lowWater(limits.maxBytes, lowWaterPercent),
    maxEntries: lowWater(limits.maxEntries, lowWaterPercent),
  };
}

/** In whole numbers: percent of a limit near 2^53 would lose digits as a number. */
function lowWater(limit: number, percent: number): number {
  return limit === Infinity ? limit : Number((BigInt(limit) * BigInt(percent)) / 100n);
}

function isYoung(usedAtMs: number, { minAgeMs }: RetentionRules, nowMs: number): boolean {
  return minAgeMs !== null && !isFarAhead(usedAtMs, nowMs) && nowMs - usedAtMs < minAgeMs;
}

function isFarAhead(usedAtMs: number, nowMs: number): boolean {
  return usedAtMs - nowMs > ALLOWED_DRIFT_MS;
}

/** What is there now, and what is missing on the file system. */
class Balance {
  #bytes = 0;
  #entries: number;
  #missingBytes: number;

  constructor(candidates: Candidates, missingBytes: number) {
    const { bytes, count } = candidates;
    for (let index = 0; index < count; index += 1) this.#bytes += at(bytes, index);
    this.#entries = count;
    this.#missingBytes = missingBytes;
  }

  subtract(bytes: number): void {
    this.#bytes -= bytes;
    this.#entries -= 1;
    this.#missingBytes -= bytes;
  }

  isAbove({ maxBytes, maxEntries }: Goal): boolean {
    return this.#bytes > maxBytes || this.#entries > maxEntries;
  }

  /** The first rule that does not hold. */
  exceeded({ maxBytes, maxEntries }: Goal): RetentionReason | null {
    if (this.#bytes > maxBytes) return 'max-size';
    if (this.#entries > maxEntries) return 'max-entries';
    return this.#missingBytes > 0 ? 'min-free' : null;
  }
}

/** Where more were last used in one step, only they are compared. */
const STEP_MS = 1000;

/**
 * The rows that are wanted, the least recently used first. The step of a time and its row make one number, and numbers
 * alone are sorted in a third of the time; rows that share a step are compared.
 */
function oldestFirst(candidates: Candidates, nowMs: number, wanted: (index: number) => boolean): Uint32Array {
  const { count, usedAtMs } = candidates;
  const timeOf = (index: number): number => {
    const time = at(usedAtMs, index);
    return isFarAhead(time, nowMs) ? -Infinity : time;
  };
  const perStep = 2 ** Math.ceil(Math.log2(count + 1));
  // What a number holds exactly. Times beyond it share the last step, those before 1970 the first.
  const lastStep = 2 ** 53 / perStep - 1;
  const keys = new Float64Array(count);
  let found = 0;
  for (let index = 0; index < count; index += 1) {
    if (!wanted(index)) continue;
    const step = Math.max(0, Math.min(Math.floor(timeOf(index) / STEP_MS), lastStep));
    keys[found++] = step * perStep + index;
  }
  const sorted = keys.subarray(0, found).toSorted();
  return rowsOf(sorted, perStep, (a, b) => {
    const left = timeOf(a);
    const right = timeOf(b);
    if (left === right) return candidates.compareNames(a, b);
    return left < right ? -1 : 1;
  });
}

/** The rows in keys that are sorted; those of one step as they compare. */
function rowsOf(
  sorted: Float64Array,
  perStep: number,
  compare: (a: number, b: number) => number,
): Uint32Array {
  const rows = new Uint32Array(sorted.length);
  let first = 0;
  let stepOfFirst = -1;
  for (let place = 0; place < rows.length; place += 1) {
    const key = at(sorted, place);
    const step = Math.floor(key / perStep);
    rows[place] = key - step * perStep;
    if (step === stepOfFirst) continue;
    if (place - first > 1) rows.subarray(first, place).sort(compare);
    first = place;
    stepOfFirst = step;
  }
  rows.subarray(first).sort(compare);
  return rows;
}

function at(column: Float64Array, index: number): number {
  return column[index] ?? Number.NaN;
}
