import { DEGRADED, MISS_REASONS, OUTCOMES, UNCACHEABLE } from './lifecycle.js';
import { wordsOf } from './words.js';

/**
 * The counters in the order of their slots. A slot never moves and is never used again for something else: new names
 * are appended to the reserve of their group.
 */
const GROUPS = {
  plain: {
    first: 0,
    slots: 32,
    names: [
      'lookups',
      'hits',
      'misses',
      'puts',
      'rejectedPuts',
      'evictions',
      'evictedBytes',
      'flushes',
      'flushErrors',
      'waits',
      'degraded',
      'savedMilliseconds',
    ],
  },
  outcome: { first: 32, slots: 32, names: OUTCOMES },
  missReason: { first: 64, slots: 64, names: MISS_REASONS },
  uncacheable: { first: 128, slots: 128, names: UNCACHEABLE },
  degraded: { first: 256, slots: 32, names: DEGRADED },
} as const;

type Groups = typeof GROUPS;
export type CounterName =
  | Groups['plain']['names'][number]
  | `outcome:${Groups['outcome']['names'][number]}`
  | `missReason:${Groups['missReason']['names'][number]}`
  | `uncacheable:${Groups['uncacheable']['names'][number]}`
  | `degraded:${Groups['degraded']['names'][number]}`;

const SLOTS = 288;
let slots: ReadonlyMap<string, number> | null = null;

/** Made when all counters are asked for: a hit adds to four of them. */
function slotsByName(): ReadonlyMap<string, number> {
  slots ??= new Map(
    Object.entries(GROUPS).flatMap(([group, { first, names }]) =>
      names.map((name, index): [string, number] => [
        group === 'plain' ? name : `${group}:${name}`,
        first + index,
      ]),
    ),
  );
  return slots;
}

/** Figures that only grow, and since when. */
export interface Counters {
  readonly sinceMs: number;
  readonly values: ReadonlyMap<CounterName, number>;
}

/** Adds to counters; what is written to disk at the end of a process. */
export class Tally {
  readonly values = new Map<CounterName, number>();

  add(name: CounterName, amount = 1): void {
    if (amount !== 0) this.values.set(name, (this.values.get(name) ?? 0) + amount);
  }

  /** Hands out what was counted so far and starts again at nothing. */
  take(): Tally {
    const taken = new Tally();
    taken.addAll(this);
    this.values.clear();
    return taken;
  }

  addAll(other: Tally): void {
    for (const [name, value] of other.values) this.add(name, value);
  }

  get isEmpty(): boolean {
    return this.values.size === 0;
  }
}

/** What logged hits add to the counters: each is a lookup that the disk has answered. */
export function tallyOfHits(hits: readonly { readonly savedMs: number }[]): Tally {
  const tally = new Tally();
  for (const name of ['lookups', 'hits', 'outcome:disk'] as const) tally.add(name, hits.length);
  for (const { savedMs } of hits) tally.add('savedMilliseconds', savedMs);
  return tally;
}

/** One page: magic, generation, since, slots, a log, BLAKE3 of all before. A multiple of the usual block size. */
export const PAGE_BYTES = 4096;
/** `VYRECNT1`. */
const MAGIC = 0x31_54_4e_43_45_52_59_56n;
const GENERATION_AT = 8;
const SINCE_AT = 16;
const SLOTS_AT = 24;
/** Inode and mtime in milliseconds, f64le. */
const TAKEN_AT = SLOTS_AT + SLOTS * 8;
const HASH_AT = PAGE_BYTES - 32;
const MAX_WORD = 2n ** 64n - 1n;

/** A log of hits that counters contain: what a file is, among those that lay at its place one after another. */
export interface TakenLog {
  readonly inode: number;
  readonly mtimeMs: number;
}

export interface CounterPage {
  /** The page with the higher generation counts. */
  readonly generation: bigint;
  readonly counters: Counters;
  /** The last log that was taken in; null: none. */
  readonly taken: TakenLog | null;
}

type Hash = (bytes: Uint8Array) => Uint8Array;

/** Every value is kept within 64 bits. */
export function encodeCounterPage(page: CounterPage, hash: Hash): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const words = wordsOf(bytes);
  words.setBigUint64(0, MAGIC, true);
  words.setBigUint64(GENERATION_AT, page.generation > MAX_WORD ? MAX_WORD : page.generation, true);
  words.setBigUint64(SINCE_AT, wordOf(page.counters.sinceMs), true);
  for (const [name, value] of page.counters.values) {
    words.setBigUint64(SLOTS_AT + slotOf(name) * 8, wordOf(value), true);
  }
  if (page.taken !== null) setTaken(words, page.taken);
  bytes.set(hash(bytes.subarray(0, HASH_AT)), HASH_AT);
  return bytes;
}

function setTaken(words: DataView, { inode, mtimeMs }: TakenLog): void {
  words.setFloat64(TAKEN_AT, inode, true);
  words.setFloat64(TAKEN_AT + 8, mtimeMs, true);
}

/** The last log that a valid page contains. */
export function takenIn(page: Buffer): TakenLog | null {
  const words = wordsOf(page);
  const inode = words.getFloat64(TAKEN_AT, true);
  return inode === 0 ? null : { inode, mtimeMs: words.getFloat64(TAKEN_AT + 8, true) };
}

/** The nearest whole number that 64 bits hold: a clock before 1970 or a figure that ran over must not lose the others. */
function wordOf(value: number): bigint {
  if (!(value > 0)) return 0n;
  return value >= Number(MAX_WORD) ? MAX_WORD : BigInt(Math.trunc(value));
}

/** Null for a page that is damaged, was never written, or was written half. */
export function decodeCounterPage(bytes: Buffer, hash: Hash): CounterPage | null {
  if (!isValidPage(bytes, hash)) return null;
  const words = wordsOf(bytes);
  const values = new Map<CounterName, number>();
  for (const [name, slot] of slotsByName()) {
    const value = Number(words.getBigUint64(SLOTS_AT + slot * 8, true));
    if (value > 0 && isCounterName(name)) values.set(name, value);
  }
  const sinceMs = Number(words.getBigUint64(SINCE_AT, true));
  return {
    generation: words.getBigUint64(GENERATION_AT, true),
    counters: { sinceMs, values },
    taken: takenIn(bytes),
  };
}

function isValidPage(bytes: Buffer, hash: Hash): boolean {
  if (bytes.byteLength !== PAGE_BYTES || wordsOf(bytes).getBigUint64(0, true) !== MAGIC) return false;
  return Buffer.compare(hash(bytes.subarray(0, HASH_AT)), bytes.subarray(HASH_AT)) === 0;
}

/** The page in force, of two that lie one behind the other: the other one is looked at only where it is damaged. */
export function latestPage(bytes: Buffer, hash: Hash): Buffer | null {
  const pages = [bytes.subarray(0, PAGE_BYTES), bytes.subarray(PAGE_BYTES)];
  const [first, second] = pages.map(generationOf);
  const [latest, other] = (second ?? 0n) > (first ?? 0n) ? pages.toReversed() : pages;
  return [latest, other].find((page) => page !== undefined && isValidPage(page, hash)) ?? null;
}

/** The page that follows a valid one: with these figures added, and the log that they contain. Nothing else of it is decoded. */
export function followingPage(
  page: Buffer,
  added: { readonly values: ReadonlyMap<CounterName, number>; readonly taken: TakenLog | null },
  hash: Hash,
): Buffer {
  const bytes = Buffer.allocUnsafe(PAGE_BYTES);
  bytes.set(page);
  const words = wordsOf(bytes);
  const add = (at: number, amount: bigint): void => {
    const sum = words.getBigUint64(at, true) + amount;
    words.setBigUint64(at, sum > MAX_WORD ? MAX_WORD : sum, true);
  };
  add(GENERATION_AT, 1n);
  for (const [name, value] of added.values) add(SLOTS_AT + slotOf(name) * 8, wordOf(value));
  if (added.taken !== null) setTaken(words, added.taken);
  bytes.set(hash(bytes.subarray(0, HASH_AT)), HASH_AT);
  return bytes;
}

function slotOf(name: CounterName): number {
  const colon = name.indexOf(':');
  const groups: Readonly<Record<string, { readonly first: number; readonly names: readonly string[] }>> =
    GROUPS;
  const group = groups[colon < 0 ? 'plain' : name.slice(0, colon)];
  const index = group?.names.indexOf(name.slice(colon + 1)) ?? -1;
  if (group === undefined || index < 0) throw new Error(`the counter "${name}" has no slot`);
  return group.first + index;
}

/** What a page says of itself. */
export function generationOf(page: Buffer): bigint {
  return page.byteLength === PAGE_BYTES ? wordsOf(page).getBigUint64(GENERATION_AT, true) : 0n;
}

function isCounterName(name: string): name is CounterName {
  return slotsByName().has(name);
}

/** The sum of two sets of counters, since the earlier of the two. */
export function addCounters(a: Counters, b: Counters): Counters {
  const values = new Map(a.values);
  for (const [name, value] of b.values) values.set(name, (values.get(name) ?? 0) + value);
  return { sinceMs: Math.min(a.sinceMs, b.sinceMs), values };
}

/** vyre: floor(hits × 1,000,000 / lookups); null without lookups. */
export function hitRatePpm(hits: number, lookups: number): number | null {
  return lookups === 0 ? null : Number((BigInt(hits) * 1_000_000n) / BigInt(lookups));
}

/** The counters of one group by their bare names, zeros left out. */
export function counterGroup(
  counters: Counters,
  group: Exclude<keyof Groups, 'plain'>,
): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of GROUPS[group].names) {
    const value = counters.values.get(`${group}:${name}` as CounterName) ?? 0;
    if (value > 0) found[name] = value;
  }
  return found;
}

if (TAKEN_AT + 16 > HASH_AT) throw new Error('the slots do not fit a counter page');
