import { ENTRY_PART, entryFormat, RECORD_PART } from '../layouts/vyre/entry-format.js';
import type { LayoutName } from '../layouts/layout.js';
import { withLanes, type Lanes } from './bulk.js';
import { RESULT } from './artifact-table.js';
import { LOOK } from './bulk-work.js';
import { pathOf, takeInventory, takeStoreInventory, type Inventory } from './inventory.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { FileFailure } from './reports.js';

export interface Collected {
  /** Its table has the artifacts that may be removed, with their last use and size. */
  readonly inventory: Inventory;
  /** What no policy ever removes. */
  readonly others: { readonly count: number; readonly bytes: number };
  /** What could not be looked at: it stays, and counts nothing. */
  readonly failures: readonly FileFailure[];
}

export interface CollectOptions {
  readonly signal: AbortSignal | null;
  /** Null: all. */
  readonly layouts: readonly LayoutName[] | null;
  readonly onProgress: ((progress: { readonly files: number; readonly bytes: number }) => void) | null;
}

/** The artifacts below a root that may be removed; of an interrupted run those that were seen by then. */
export async function collectCandidates(root: MaintainedRoot, options: CollectOptions): Promise<Collected> {
  const { signal, layouts } = options;
  return withLanes(root.host, async (lanes) => {
    const inventory = await takeInventory(root.host, root.root, {
      layouts,
      countsAliens: false,
      signal,
      onLargeFolder: lanes.prepare,
      onMany: (listed) => lanes.goAhead(LOOK, listed),
    });
    return collect(inventory, lanes, options);
  });
}

/** The entries of a home's store that have our records: all that automatic care takes care of. */
export async function collectOurs(root: MaintainedRoot, signal: AbortSignal | null): Promise<Collected> {
  const ours = (1 << ENTRY_PART) | (1 << RECORD_PART);
  return withLanes(root.host, async (lanes) => {
    const inventory = await takeStoreInventory(root.host, root.root, {
      signal,
      onLargeFolder: lanes.prepare,
    });
    const { artifacts } = inventory;
    keepRows(
      inventory,
      (row) =>
        artifacts.format(row) === entryFormat &&
        artifacts.present(row) === ours &&
        !artifacts.isIrregular(row),
    );
    return collect(inventory, lanes, { signal, onProgress: null });
  });
}

async function collect(
  inventory: Inventory,
  lanes: Lanes,
  options: Pick<CollectOptions, 'signal' | 'onProgress'>,
): Promise<Collected> {
  const { artifacts } = inventory;
  const failed = await lanes.run(inventory, {
    task: LOOK,
    signal: options.signal,
    onProgress: options.onProgress,
  });
  const failures = [
    ...inventory.unreadable.map(({ relative, errno }) => ({ path: relative || '.', error: errno })),
    ...failed.map(({ row, errno }) => ({ path: pathOf(inventory, row), error: errno })),
  ];
  const others = { count: 0, bytes: 0 };
  const { results, bytes } = artifacts;
  keepRows(inventory, (row) => {
    if (results[row] !== RESULT.seen) return false;
    if (artifacts.format(row).isPrunable) return true;
    others.count += 1;
    others.bytes += bytes[row] ?? 0;
    return false;
  });
  return { inventory, others, failures };
}

function keepRows({ artifacts }: Inventory, keeps: (row: number) => boolean): void {
  let kept = 0;
  for (let row = 0; row < artifacts.count; row += 1) {
    if (!keeps(row)) continue;
    if (kept !== row) artifacts.move(row, kept);
    kept += 1;
  }
  artifacts.cut(kept);
}
