import type { FileStat } from '../host/files.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { DiskTier } from '../store/disk-tier.js';
import type { CompilerFigures, NotableEntry, StatsDetails } from './reports.js';

/** How many of the largest and of the costliest entries are named. */
const NOTABLE = 10;

/** Reads the record of each entry that it is shown; keeps figures per compiler and a few entries, however many there are. */
export class DetailsCollector {
  readonly #store: DiskTier | null;
  readonly #compilers = new Map<string | null, CompilerFigures>();
  readonly #largest = new Top((entry) => entry.bytes);
  readonly #costliest = new Top((entry) => entry.wallSeconds ?? 0);

  /** Null for a root without a store. */
  constructor(store: DiskTier | null) {
    this.#store = store;
  }

  readonly onEntry = (fingerprint: Fingerprint, stat: FileStat): void => {
    const read = this.#store?.readRecord(fingerprint);
    const known = read?.ok === true ? read : null;
    const entry: NotableEntry = {
      fingerprint,
      bytes: stat.bytes + (known?.stat.bytes ?? 0),
      compiler: known?.record.compiler ?? null,
      outputs: known?.record.outputs.map(({ name }) => name) ?? null,
      wallSeconds: known?.record.cost.wallSeconds ?? null,
    };
    this.#largest.add(entry);
    if (entry.wallSeconds !== null) this.#costliest.add(entry);
    this.#count(entry);
  };

  #count({ compiler, bytes, wallSeconds }: NotableEntry): void {
    const before = this.#compilers.get(compiler) ?? { compiler, entries: 0, bytes: 0, wallSeconds: 0 };
    this.#compilers.set(compiler, {
      compiler,
      entries: before.entries + 1,
      bytes: before.bytes + bytes,
      wallSeconds: before.wallSeconds + (wallSeconds ?? 0),
    });
  }

  details(): StatsDetails {
    return {
      compilers: [...this.#compilers.values()].toSorted((a, b) => b.bytes - a.bytes),
      largest: this.#largest.entries,
      costliest: this.#costliest.entries,
    };
  }
}

/** The few entries with the highest figure, the highest first. */
class Top {
  readonly #figure: (entry: NotableEntry) => number;
  #entries: readonly NotableEntry[] = [];

  constructor(figure: (entry: NotableEntry) => number) {
    this.#figure = figure;
  }

  get entries(): readonly NotableEntry[] {
    return this.#entries;
  }

  add(entry: NotableEntry): void {
    const last = this.#entries[NOTABLE - 1];
    if (last !== undefined && this.#figure(entry) <= this.#figure(last)) return;
    const all = [...this.#entries, entry].toSorted((a, b) => this.#figure(b) - this.#figure(a));
    this.#entries = all.slice(0, NOTABLE);
  }
}
