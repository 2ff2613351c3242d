import { entryFormat } from '../layouts/vyre/entry-format.js';
import { StorePaths } from '../layouts/vyre/home-paths.js';
import { isFingerprint } from '../model/fingerprint.js';
import { DiskTier } from '../store/disk-tier.js';
import { artifactAt, pathOf, type Inventory, type NamedArtifact } from './inventory.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { CompilerFigures, NotableEntry, StatsDetails } from './reports.js';

/** How many of the largest and of the costliest entries are named. */
const NOTABLE = 10;

/** Reads the record of each entry that it is shown; keeps figures per compiler and a few entries, however many there are. */
export class DetailsCollector {
  readonly #root: MaintainedRoot;
  readonly #stores = new Map<string, DiskTier>();
  readonly #compilers = new Map<string | null, CompilerFigures>();
  readonly #largest = new Top((entry) => entry.bytes);
  readonly #costliest = new Top((entry) => entry.wallSeconds ?? 0);
  readonly #mostSaving = new Top((entry) => entry.savedSeconds ?? 0);
  readonly #savedMs: ReadonlyMap<string, number>;

  constructor(root: MaintainedRoot) {
    this.#root = root;
    const savedMs = new Map<string, number>();
    for (const saving of root.states().flatMap((state) => state.readSavings())) {
      savedMs.set(saving.fingerprint, (savedMs.get(saving.fingerprint) ?? 0) + saving.savedMs);
    }
    this.#savedMs = savedMs;
  }

  readonly onArtifact = (inventory: Inventory, row: number): void => {
    const artifact = artifactAt(inventory, row);
    const { format, folder, stem } = artifact;
    const fingerprint = format === entryFormat && isFingerprint(stem) ? stem : null;
    const read = fingerprint === null ? null : this.#store(folder).readRecord(fingerprint);
    const record = read?.ok === true ? read.record : null;
    const savedMs = fingerprint === null ? undefined : this.#savedMs.get(fingerprint);
    const entry: NotableEntry = {
      fingerprint,
      path: pathOf(inventory, row),
      bytes: inventory.artifacts.bytes[row] ?? 0,
      compiler: record?.compiler ?? compilerOf(artifact),
      outputs: record?.outputs.map(({ name }) => name) ?? null,
      wallSeconds: record?.cost.wallSeconds ?? null,
      savedSeconds: savedMs === undefined ? null : savedMs / 1000,
    };
    this.#largest.add(entry);
    if (entry.wallSeconds !== null) this.#costliest.add(entry);
    if (entry.savedSeconds !== null) this.#mostSaving.add(entry);
    this.#count(entry, format.uses?.(this.#root.host, folder, stem) ?? null);
  };

  #store(folder: string): DiskTier {
    let store = this.#stores.get(folder);
    if (store === undefined) {
      const { host, maxPayloadBytes } = this.#root;
      store = new DiskTier(host, { paths: new StorePaths(folder), maxPayloadBytes, lock: null });
      this.#stores.set(folder, store);
    }
    return store;
  }

  #count({ compiler, bytes, wallSeconds }: NotableEntry, uses: number | null): void {
    const none = { compiler, entries: 0, bytes: 0, wallSeconds: 0, uses: null };
    const before = this.#compilers.get(compiler) ?? none;
    this.#compilers.set(compiler, {
      compiler,
      entries: before.entries + 1,
      bytes: before.bytes + bytes,
      wallSeconds: before.wallSeconds + (wallSeconds ?? 0),
      uses: uses === null ? before.uses : (before.uses ?? 0) + uses,
    });
  }

  details(): StatsDetails {
    return {
      compilers: [...this.#compilers.values()].toSorted((a, b) => b.bytes - a.bytes),
      largest: this.#largest.entries,
      costliest: this.#costliest.entries,
      mostSaving: this.#mostSaving.entries,
    };
  }
}

/** As far as its place tells. */
function compilerOf({ format, folder }: NamedArtifact): string | null {
  const compiler = format.compiler?.(folder) ?? null;
  return compiler === null ? null : `${compiler.name} ${compiler.version}`;
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
