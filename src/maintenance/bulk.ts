import type { Host } from '../host/host.js';
import { isThreadShortage, type Thread } from '../host/threads.js';
import { UnitCursor, Units } from '../schedule/units.js';
import type { SharedTable } from './artifact-table.js';
import { BulkWork, RESULT, type BulkTask, type RowFailure } from './bulk-work.js';
import type { Inventory, Place } from './inventory.js';

/** More lanes read no faster: the file system has to keep up. */
const MAX_LANES = 4;
/** Below this many artifacts one thread is done before another one has started. */
const MIN_ROWS_FOR_THREADS = 4096;
/** Artifacts between two looks at the progress and at whatever else waits. */
const SLICE = 512;

/** Figures that all lanes add to: artifacts, bytes. */
const FIGURES = 2;

export interface BulkProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface BulkOptions {
  readonly task: BulkTask;
  readonly signal: AbortSignal | null;
  readonly onProgress: ((progress: BulkProgress) => void) | null;
}

/** All that a thread needs. */
export interface BulkOrder {
  readonly table: SharedTable;
  readonly places: readonly Pick<Place, 'path'>[];
  readonly task: BulkTask;
  readonly lanes: number;
  readonly cursor: SharedArrayBuffer;
  readonly figures: SharedArrayBuffer;
}

/**
 * Does a task for every artifact of an inventory; what it finds stands in the table. Threads claim units from one
 * cursor, and this thread does as well.
 * @returns what could not be looked at, by rows.
 */
export async function runBulk(
  host: Host,
  { artifacts, places }: Pick<Inventory, 'artifacts' | 'places'>,
  options: BulkOptions,
): Promise<readonly RowFailure[]> {
  const lanes = artifacts.count < MIN_ROWS_FOR_THREADS ? 1 : Math.min(MAX_LANES, host.machine.processors);
  const order: BulkOrder = {
    table: artifacts.shared,
    places: places.map(({ path }) => ({ path })),
    task: options.task,
    lanes,
    cursor: new SharedArrayBuffer(8),
    figures: new SharedArrayBuffer(8 * FIGURES),
  };
  const threads = startThreads(host, order);
  try {
    const show = progressTo(order, options.onProgress);
    const work = new BulkWork(host, artifacts, places, options.task);
    await runLane(work, order, {
      breathe: async () => {
        show();
        await host.clock.breathe();
      },
      signal: options.signal,
    });
    const others = options.signal?.aborted === true ? [] : await Promise.all(threads.map(failuresOf));
    if (others.includes(null)) await doRest(work, order, options.signal);
    show();
    return [...work.failures, ...others.flatMap((each) => each ?? [])].toSorted((a, b) => a.row - b.row);
  } finally {
    await Promise.all(threads.map(async (thread) => thread.stop()));
  }
}

function startThreads(host: Host, order: BulkOrder): readonly Thread[] {
  const threads: Thread[] = [];
  for (let lane = 1; lane < order.lanes; lane += 1) {
    const thread = host.threads?.start(new URL('./bulk-thread.js', import.meta.url), order) ?? null;
    if (thread !== null) threads.push(thread);
  }
  return threads;
}

/** Null for a thread that the machine could not start or keep. */
async function failuresOf(thread: Thread): Promise<readonly RowFailure[] | null> {
  try {
    // What `bulk-thread.ts` sends.
    return (await thread.result) as readonly RowFailure[];
  } catch (error) {
    if (!isThreadShortage(error)) throw error;
    return null;
  }
}

/** Does in this thread what one that is gone has claimed and not done. */
async function doRest(work: BulkWork, order: BulkOrder, signal: AbortSignal | null): Promise<void> {
  const results = new Uint8Array(order.table.results, 0, order.table.count);
  for (const [row, result] of results.entries()) {
    if (result !== RESULT.none) continue;
    if (signal?.aborted === true) return;
    work.do({ start: row, end: row + 1 });
  }
}

export interface LaneOptions {
  breathe(): Promise<void>;
  readonly signal: AbortSignal | null;
}

/** Claims units until none is left. */
export async function runLane(work: BulkWork, order: BulkOrder, options: LaneOptions): Promise<void> {
  const units = new Units(order.table.count, order.lanes);
  const cursor = new UnitCursor(units.count, order.cursor);
  const figures = new BigInt64Array(order.figures);
  for (let index = cursor.claim(); index !== null; index = cursor.claim()) {
    const unit = units.at(index);
    for (let { start } = unit; start < unit.end; start += SLICE) {
      if (options.signal?.aborted === true) return;
      const end = Math.min(start + SLICE, unit.end);
      const before = work.bytesRead;
      work.do({ start, end });
      Atomics.add(figures, 0, BigInt(end - start));
      Atomics.add(figures, 1, BigInt(work.bytesRead - before));
      await options.breathe();
    }
  }
}

/** Tells how far all lanes are, when that is news. */
function progressTo(
  { figures }: BulkOrder,
  onProgress: ((progress: BulkProgress) => void) | null,
): () => void {
  let shown = 0;
  return () => {
    const [files = 0n, bytes = 0n] = new BigInt64Array(figures);
    if (Number(files) === shown) return;
    shown = Number(files);
    onProgress?.({ files: shown, bytes: Number(bytes) });
  };
}
