import { join } from 'node:path';
import type { FileStat } from '../host/files.js';
import { classifyStoreName } from '../layouts/vyre/vyre-layout.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { DiskTier } from '../store/disk-tier.js';
import { isPastSafeAge } from './litter.js';
import type { MaintainedRoot } from './maintained-root.js';
import { NumberList } from './number-list.js';
import type { AgeGroup } from './reports.js';
import { scanIfThere } from './scan.js';

/** An hour, a day, a week, 30 days (vyre's documented age limit), older. */
const AGE_LIMITS_SECONDS = [3600, 86_400, 604_800, 2_592_000, null] as const;

/** 48 bits. Two fingerprints that share them are taken for one, which a figure can bear. */
const KEY_HEX_DIGITS = 12;
/** Behind the key stands the age group, so that a record finds the group of its entry: 51 bits in all. */
const GROUPS_PER_KEY = 8;

/** What lies in a store. */
export interface StoreFigures {
  readonly entries: number;
  /** Of the entries and their records. */
  readonly bytes: number;
  /** Infinity and -Infinity without entries. */
  readonly oldestMs: number;
  readonly newestMs: number;
  readonly ages: readonly AgeGroup[];
  readonly recordsWithoutEntry: number;
  /** Past the age below which their writer may still be at work. */
  readonly temporaryFiles: number;
}

export const NO_FIGURES: StoreFigures = {
  entries: 0,
  bytes: 0,
  oldestMs: Infinity,
  newestMs: -Infinity,
  ages: AGE_LIMITS_SECONDS.map((withinSeconds) => ({ withinSeconds, entries: 0, bytes: 0 })),
  recordsWithoutEntry: 0,
  temporaryFiles: 0,
};

type OnEntry = (fingerprint: Fingerprint, stat: FileStat) => void;

/**
 * Adds up a store in one pass, with one lstat per entry and record and 24 bytes of memory for both. What is published
 * or removed meanwhile may be counted or not.
 * @throws the errno error when the folder cannot be read.
 */
export function measureStore(root: MaintainedRoot, store: DiskTier, onEntry: OnEntry | null): StoreFigures {
  const scan = new StoreScan(root, store, onEntry);
  scanIfThere(root.host.files, store.paths.folder, ({ name }) => {
    scan.visit(name);
  });
  return scan.figures();
}

class StoreScan {
  readonly #store: DiskTier;
  readonly #lstat: (path: string) => FileStat | null;
  readonly #onEntry: OnEntry | null;
  readonly #nowMs: number;
  /** The key of each entry with its age group. */
  readonly #entryKeys = new NumberList();
  /** The key and the size of each record. */
  readonly #recordKeys = new NumberList();
  readonly #recordBytes = new NumberList();
  readonly #groups = AGE_LIMITS_SECONDS.map(() => ({ entries: 0, bytes: 0 }));
  #oldestMs = Infinity;
  #newestMs = -Infinity;
  #temporaryFiles = 0;

  constructor({ host }: MaintainedRoot, store: DiskTier, onEntry: OnEntry | null) {
    this.#store = store;
    this.#lstat = host.files.lstat;
    this.#onEntry = onEntry;
    this.#nowMs = host.clock.nowMs();
  }

  visit(name: string): void {
    const classified = classifyStoreName(name);
    if (classified.kind === 'entry') this.#entry(classified.fingerprint);
    else if (classified.kind === 'record') this.#record(classified.fingerprint);
    else if (classified.kind === 'litter') this.#temporary(name);
  }

  /** A young one may belong to a writer that is at work. */
  #temporary(name: string): void {
    const stat = this.#lstat(join(this.#store.paths.folder, name));
    if (stat !== null && isPastSafeAge(stat, this.#nowMs)) this.#temporaryFiles += 1;
  }

  #entry(fingerprint: Fingerprint): void {
    const stat = this.#lstat(this.#store.paths.entry(fingerprint));
    if (stat?.type !== 'file') return;
    const index = ageGroup((this.#nowMs - stat.mtimeMs) / 1000);
    this.#add(index, 1, stat.bytes);
    this.#entryKeys.push(keyOf(fingerprint) + index);
    this.#oldestMs = Math.min(this.#oldestMs, stat.mtimeMs);
    this.#newestMs = Math.max(this.#newestMs, stat.mtimeMs);
    this.#onEntry?.(fingerprint, stat);
  }

  #record(fingerprint: Fingerprint): void {
    const stat = this.#lstat(this.#store.paths.record(fingerprint));
    if (stat?.type !== 'file') return;
    this.#recordKeys.push(keyOf(fingerprint));
    this.#recordBytes.push(stat.bytes);
  }

  #add(index: number, entries: number, bytes: number): void {
    const group = this.#groups[index];
    if (group === undefined) throw new Error(`there is no age group ${index}`);
    group.entries += entries;
    group.bytes += bytes;
  }

  figures(): StoreFigures {
    const recordsWithoutEntry = this.#joinRecords();
    const sum = (field: 'entries' | 'bytes'): number =>
      this.#groups.reduce((total, group) => total + group[field], 0);
    return {
      entries: sum('entries'),
      bytes: sum('bytes'),
      oldestMs: this.#oldestMs,
      newestMs: this.#newestMs,
      ages: this.#groups.map((group, index) => ({
        withinSeconds: AGE_LIMITS_SECONDS[index] ?? null,
        ...group,
      })),
      recordsWithoutEntry,
      temporaryFiles: this.#temporaryFiles,
    };
  }

  /** Adds each record to its entry. @returns how many have none. */
  #joinRecords(): number {
    const entries = this.#entryKeys.values().toSorted();
    const sizes = this.#recordBytes.values();
    let alone = 0;
    for (const [at, key] of this.#recordKeys.values().entries()) {
      const group = (entries[firstNotBelow(entries, key)] ?? Infinity) - key;
      if (group < GROUPS_PER_KEY) this.#add(group, 0, sizes[at] ?? 0);
      else alone += 1;
    }
    return alone;
  }
}

function keyOf(fingerprint: Fingerprint): number {
  return Number.parseInt(fingerprint.slice(0, KEY_HEX_DIGITS), 16) * GROUPS_PER_KEY;
}

/** A last use in the future counts as now. */
function ageGroup(seconds: number): number {
  return AGE_LIMITS_SECONDS.findIndex((limit) => limit === null || seconds <= limit);
}

/** Where the first of the sorted values is that is not below `wanted`. */
function firstNotBelow(sorted: Float64Array, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Infinity) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
