import type { Decoded } from './decoder.js';
import { CacheError } from './error.js';

/** How an option reads zero. */
export interface UnitOptions {
  /** Set where zero could mean two things: the words after `expected …` that name them. A bare `0` is refused so too. */
  readonly refuseZero?: string;
}

const SECOND_MS = 1000;
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['s', SECOND_MS],
  ['m', 60 * SECOND_MS],
  ['h', 3600 * SECOND_MS],
  ['d', 86_400 * SECOND_MS],
  ['w', 604_800 * SECOND_MS],
]);
const SIZE_LETTERS = ['K', 'M', 'G', 'T', 'P'] as const;
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ...SIZE_LETTERS.flatMap((letter, index): [string, number][] => [
    [letter, 1000 ** (index + 1)],
    [`${letter}i`, 1024 ** (index + 1)],
  ]),
]);

const DURATION = /^([0-9]+)([smhdw])$/;
const SIZE = /^([0-9]+)(?:(B)|([KMGTP]i?)B?)$/;
const COUNT = /^[0-9]+$/;
const BARE_ZERO = /^0+$/;

/** Digits and one of `s m h d w`, in whole milliseconds. */
export function decodeDuration(text: string, options: UnitOptions = {}): Decoded<number> {
  const match = DURATION.exec(text);
  const unit = DURATION_UNITS.get(match?.[2] ?? '');
  return bounded({ text, digits: match?.[1], unit, expected: 'a duration such as 30m' }, options);
}

/** Digits and `B`, or `K M G T P` with optional `i` and optional `B`, in bytes: K is 1000, Ki is 1024. */
export function decodeSize(text: string, options: UnitOptions = {}): Decoded<number> {
  const match = SIZE.exec(text);
  const unit = SIZE_UNITS.get(match?.[2] ?? match?.[3] ?? '');
  return bounded({ text, digits: match?.[1], unit, expected: 'a size such as 500MB or 5GiB' }, options);
}

/** Bare digits. */
export function decodeCount(text: string, options: UnitOptions = {}): Decoded<number> {
  const digits = COUNT.test(text) ? text : undefined;
  return bounded({ text, digits, unit: 1, expected: 'a whole number such as 8' }, options);
}

interface Amount {
  readonly text: string;
  readonly digits: string | undefined;
  readonly unit: number | undefined;
  readonly expected: string;
}

/** Exact up to 2^53 - 1; above it a number is no longer the one that was typed. */
function bounded(amount: Amount, options: UnitOptions): Decoded<number> {
  const { text, digits, unit, expected } = amount;
  const refused = options.refuseZero;
  if (refused !== undefined && BARE_ZERO.test(text)) return unexpected(refused, text);
  if (digits === undefined || unit === undefined) return unexpected(expected, text);
  const value = BigInt(digits) * BigInt(unit);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return unexpected(`${expected}, below 2^53 in all`, text);
  if (value === 0n && refused !== undefined) return unexpected(refused, text);
  return { ok: true, value: Number(value) };
}

function unexpected(expected: string, text: string): Decoded<number> {
  return { ok: false, reason: `expected ${expected}, got "${text}"` };
}

function orThrow(decoded: Decoded<number>): number {
  if (decoded.ok) return decoded.value;
  throw new CacheError('usage', decoded.reason);
}

/** {@link decodeDuration}. @throws CacheError `usage`. */
export function parseDuration(text: string, options: UnitOptions = {}): number {
  return orThrow(decodeDuration(text, options));
}

/** {@link decodeSize}. @throws CacheError `usage`. */
export function parseSize(text: string, options: UnitOptions = {}): number {
  return orThrow(decodeSize(text, options));
}

/** {@link decodeCount}. @throws CacheError `usage`. */
export function parseCount(text: string, options: UnitOptions = {}): number {
  return orThrow(decodeCount(text, options));
}

/** The shortest text that {@link parseDuration} reads back as exactly `ms`, which must be whole seconds. */
export function writeDuration(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0 || ms % SECOND_MS !== 0) {
    throw new Error(`expected whole seconds in milliseconds, got ${ms}`);
  }
  return shortest(ms, DURATION_UNITS, 's');
}

/** The shortest text that {@link parseSize} reads back as exactly `bytes`; binary units where both are as short. */
export function writeSize(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new Error(`expected a whole number of bytes, got ${bytes}`);
  const units = [...SIZE_UNITS].map(([name, size]): [string, number] => [
    name === 'B' ? name : `${name}B`,
    size,
  ]);
  return shortest(bytes, new Map(units), 'B');
}

function shortest(value: number, units: ReadonlyMap<string, number>, smallest: string): string {
  if (value === 0) return `0${smallest}`;
  const exact = [...units].filter(([, size]) => value % size === 0);
  const best = exact.reduce((a, b) => (value / b[1] <= value / a[1] ? b : a));
  return `${value / best[1]}${best[0]}`;
}

/** At least three significant digits, trailing zeros of a fraction left out: `1.2`, `12.3`, `1023`. */
function significant(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** The same for bytes through a power of two: its digits are exact, and rounding takes a tenth of the time of them. */
function significantSize(value: number): string {
  if (value >= 100 || value < 1) return significant(value);
  const perUnit = value >= 10 ? 10 : 100;
  return String(Math.round(value * perUnit) / perUnit);
}

const SHOWN_SIZES = ['B', ...SIZE_LETTERS.map((letter) => `${letter}iB`)];

/** `0 B`, `1023 B`, `1.2 MiB`, `6.1 GiB`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let step = 0;
  // Compares what will be shown: 1023.9 KiB is 1 MiB.
  while (step < SHOWN_SIZES.length - 1 && Math.round(value) >= 1024) {
    value /= 1024;
    step += 1;
  }
  return `${significantSize(value)} ${SHOWN_SIZES[step]}`;
}

/** `0 ms`, `35 ms`, `1.24 s`, `3 m 12 s`, `2 d 4 h`: two units at most; negative spans are shown as zero. */
export function formatDuration(seconds: number): string {
  const span = Math.max(0, seconds);
  if (Math.round(span * 1000) < 1000) return `${Math.round(span * 1000)} ms`;
  // Digits are costly, and nearly every age is longer.
  if (span < 60 && Number(span.toPrecision(3)) < 60) return `${significant(span)} s`;
  for (const { large, largeSeconds, small, smallSeconds } of LONG_UNITS) {
    const count = Math.round(span / smallSeconds);
    const perLarge = largeSeconds / smallSeconds;
    if (count >= perLarge) return join(Math.floor(count / perLarge), large, count % perLarge, small);
  }
  return '1 m';
}

const LONG_UNITS = [
  { large: 'd', largeSeconds: 86_400, small: 'h', smallSeconds: 3600 },
  { large: 'h', largeSeconds: 3600, small: 'm', smallSeconds: 60 },
  { large: 'm', largeSeconds: 60, small: 's', smallSeconds: 1 },
];

function join(count: number, large: string, rest: number, small: string): string {
  const first = `${formatCount(count)} ${large}`;
  return rest === 0 ? first : `${first} ${rest} ${small}`;
}

/** Groups of three: `1,204`. Does not depend on the locale. */
export function formatCount(count: number): string {
  const digits = String(Math.trunc(count));
  return digits.length < 4 ? digits : digits.replaceAll(/\B(?=([0-9]{3})+$)/g, ',');
}

/** `81.81%`, rounded down so that only a whole shows `100%`; `-` of nothing. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return '-';
  return `${Number((Math.floor((part / whole) * 10_000) / 100).toFixed(2))}%`;
}
