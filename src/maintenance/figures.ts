import { lstatOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import { entryFormat, RECORD_PART } from '../layouts/vyre/entry-format.js';
import { withLanes, type Lanes } from './bulk.js';
import { RESULT } from './artifact-table.js';
import { LOOK, type RowFailure } from './bulk-work.js';
import { pathOf, takeInventory, type Inventory } from './inventory.js';
import { isLeftOver } from './litter.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { AgeGroup, FileFailure, LayoutFigures } from './reports.js';

/** An hour, a day, a week, 30 days (vyre's documented age limit), older. */
const AGE_LIMITS_SECONDS = [3600, 86_400, 604_800, 2_592_000, null] as const;

interface Amount {
  entries: number;
  bytes: number;
}

/** What lies below a root. */
export interface Figures {
  readonly entries: number;
  /** Of the artifacts, each with all its files that count. */
  readonly bytes: number;
  /** Of the entries that automatic care takes care of. */
  readonly ourBytes: number;
  /** Infinity and -Infinity without artifacts. */
  readonly oldestMs: number;
  readonly newestMs: number;
  readonly ages: readonly AgeGroup[];
  readonly layouts: readonly LayoutFigures[];
  readonly recordsWithoutEntry: number;
  /** What belonged to artifacts of other systems that are gone. */
  readonly orphans: number;
  /** Temporary files and locks past the age below which their writer may still be at work. */
  readonly temporaryFiles: number;
  readonly litterBytes: number;
  /** What was last used longer ago than the TTL. */
  readonly expired: { readonly entries: number; readonly bytes: number };
  readonly unreadable: readonly FileFailure[];
}

export interface MeasureOptions {
  /** Null: nothing expires. */
  readonly ttlMs: number | null;
  /** Called for each artifact. */
  readonly onArtifact: ((inventory: Inventory, row: number) => void) | null;
}

/** Adds up a root: names first, then one look per file, and little memory for both. */
export async function measure(root: MaintainedRoot, options: MeasureOptions): Promise<Figures> {
  const { inventory, failed } = await withLanes(root.host, async (lanes) => lookAtAll(root, lanes));
  const unreadable = [
    ...inventory.unreadable.map(({ relative, errno }) => ({ path: relative || '.', error: errno })),
    ...failed.map(({ row, errno }) => ({ path: pathOf(inventory, row), error: errno })),
  ];
  return { ...new Sums(root.host, options).of(inventory), unreadable };
}

async function lookAtAll(
  { host, root }: MaintainedRoot,
  lanes: Lanes,
): Promise<{ readonly inventory: Inventory; readonly failed: readonly RowFailure[] }> {
  const inventory = await takeInventory(host, root, {
    layouts: null,
    countsAliens: false,
    onLargeFolder: lanes.prepare,
    onMany: (listed) => lanes.goAhead(LOOK, listed),
  });
  const failed = await lanes.run(inventory, { task: LOOK, signal: null, onProgress: null });
  return { inventory, failed };
}

export const NO_FIGURES: Figures = {
  entries: 0,
  bytes: 0,
  ourBytes: 0,
  oldestMs: Infinity,
  newestMs: -Infinity,
  ages: AGE_LIMITS_SECONDS.map((withinSeconds) => ({ withinSeconds, entries: 0, bytes: 0 })),
  layouts: [],
  recordsWithoutEntry: 0,
  orphans: 0,
  temporaryFiles: 0,
  litterBytes: 0,
  expired: { entries: 0, bytes: 0 },
  unreadable: [],
};

class Sums {
  readonly #host: Host;
  readonly #options: MeasureOptions;
  readonly #nowMs: number;
  readonly #all: Amount = { entries: 0, bytes: 0 };
  readonly #expired: Amount = { entries: 0, bytes: 0 };
  readonly #groups: readonly Amount[] = AGE_LIMITS_SECONDS.map(() => ({ entries: 0, bytes: 0 }));
  readonly #formats = new Map<string, Amount & { readonly layout: string }>();
  #ourBytes = 0;
  #oldestMs = Infinity;
  #newestMs = -Infinity;
  #recordsWithoutEntry = 0;
  #orphans = 0;

  constructor(host: Host, options: MeasureOptions) {
    this.#host = host;
    this.#options = options;
    this.#nowMs = host.clock.nowMs();
  }

  of(inventory: Inventory): Omit<Figures, 'unreadable'> {
    const { results, bytes, usedAtMs } = inventory.artifacts;
    for (let row = 0; row < results.length; row += 1) {
      if (results[row] === RESULT.seen) {
        this.#artifact(inventory, row, { bytes: bytes[row] ?? 0, usedAtMs: usedAtMs[row] ?? 0 });
      } else if (results[row] === RESULT.orphan) this.#orphan(inventory, row);
    }
    return {
      ...this.#all,
      ourBytes: this.#ourBytes,
      oldestMs: this.#oldestMs,
      newestMs: this.#newestMs,
      ages: this.#groups.map((group, index) => ({
        withinSeconds: AGE_LIMITS_SECONDS[index] ?? null,
        ...group,
      })),
      layouts: this.#layouts(),
      recordsWithoutEntry: this.#recordsWithoutEntry,
      orphans: this.#orphans,
      expired: this.#expired,
      ...this.#litter(inventory),
    };
  }

  #artifact(
    inventory: Inventory,
    row: number,
    { bytes, usedAtMs }: { readonly bytes: number; readonly usedAtMs: number },
  ): void {
    const { artifacts } = inventory;
    const format = artifacts.format(row);
    const group = this.#groups[ageGroup((this.#nowMs - usedAtMs) / 1000)];
    let ofFormat = this.#formats.get(format.name);
    if (ofFormat === undefined) {
      ofFormat = { layout: format.layout, entries: 0, bytes: 0 };
      this.#formats.set(format.name, ofFormat);
    }
    add(this.#all, bytes);
    add(ofFormat, bytes);
    if (group !== undefined) add(group, bytes);
    const { ttlMs } = this.#options;
    if (ttlMs !== null && format.isPrunable && this.#nowMs - usedAtMs > ttlMs) add(this.#expired, bytes);
    if (format === entryFormat && (artifacts.present(row) & (1 << RECORD_PART)) !== 0)
      this.#ourBytes += bytes;
    this.#oldestMs = Math.min(this.#oldestMs, usedAtMs);
    this.#newestMs = Math.max(this.#newestMs, usedAtMs);
    this.#options.onArtifact?.(inventory, row);
  }

  #orphan({ artifacts }: Inventory, row: number): void {
    if (artifacts.format(row) === entryFormat) this.#recordsWithoutEntry += 1;
    else this.#orphans += 1;
  }

  #layouts(): readonly LayoutFigures[] {
    const layouts = new Map<string, { entries: number; bytes: number; formats: LayoutFigures['formats'] }>();
    for (const [format, { layout, entries, bytes }] of this.#formats) {
      const before = layouts.get(layout) ?? { entries: 0, bytes: 0, formats: [] };
      layouts.set(layout, {
        entries: before.entries + entries,
        bytes: before.bytes + bytes,
        formats: [...before.formats, { format, entries, bytes }].toSorted((a, b) => b.bytes - a.bytes),
      });
    }
    return [...layouts]
      .map(([layout, { entries, bytes, formats }]) => ({ layout, entries, bytes, formats }))
      .toSorted((a, b) => b.bytes - a.bytes);
  }

  /** A young one may belong to a writer that is at work. */
  #litter({ litter, places }: Inventory): Pick<Figures, 'temporaryFiles' | 'litterBytes'> {
    let temporaryFiles = 0;
    let litterBytes = 0;
    for (const { place, name, rule } of litter) {
      const stat = lstatOrNull(this.#host.files, `${places[place]?.path ?? ''}/${name}`);
      if (stat?.type !== 'file' || !isLeftOver(this.#host, { rule, name, stat })) continue;
      temporaryFiles += 1;
      litterBytes += stat.bytes;
    }
    return { temporaryFiles, litterBytes };
  }
}

function add(amount: Amount, bytes: number): void {
  amount.entries += 1;
  amount.bytes += bytes;
}

/** A last use in the future counts as now. */
function ageGroup(seconds: number): number {
  return AGE_LIMITS_SECONDS.findIndex((limit) => limit === null || seconds <= limit);
}
