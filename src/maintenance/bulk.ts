import type { Host } from '../host/host.js';
import { isThreadShortage, type Thread } from '../host/threads.js';
import { UnitCursor } from '../schedule/units.js';
import type { SharedTable } from './artifact-table.js';
import { BulkWork, RESULT, type BulkTask, type RowFailure } from './bulk-work.js';
import { MANY_ARTIFACTS, type Inventory, type Place } from './inventory.js';

/** More lanes read no faster: the file system has to keep up. */
const MAX_LANES = 4;
/** The most artifacts that a lane claims at a time, between two looks at the progress and at whatever else waits. */
const MAX_SLICE = 512;
/** Where there are few artifacts they may be large. */
const MIN_SLICES = 64;
/** Once one thread has read as much, others pay however few artifacts there are. */
const MANY_BYTES = 33_554_432;

/** Figures that all lanes add to: artifacts, bytes. */
const FIGURES = 2;

type Rows = Pick<Inventory, 'artifacts' | 'places'>;

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
  /** Artifacts that a lane claims at a time. */
  readonly slice: number;
  readonly cursor: SharedArrayBuffer;
  readonly figures: SharedArrayBuffer;
}

/**
 * Runs what needs lanes, and ends them with it. Threads take longer to start than thousands of artifacts to look at, so
 * they may be asked for while the table is still being filled.
 */
export async function withLanes<T>(host: Host, work: (lanes: Lanes) => Promise<T>): Promise<T> {
  const lanes = new Lanes(host);
  try {
    return await work(lanes);
  } finally {
    await lanes.stop();
  }
}

export class Lanes {
  readonly #host: Host;
  #threads: readonly Thread[] | null = null;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Starts the threads: there will be {@link MANY_ARTIFACTS}. */
  readonly prepare = (): void => {
    this.#threads ??= startThreads(this.#host);
  };

  async stop(): Promise<void> {
    await Promise.all((this.#threads ?? []).map(async (thread) => thread.stop()));
  }

  /**
   * Does a task for every artifact of an inventory; what it finds stands in the table. Threads claim slices from one
   * cursor, and this thread does as well.
   * @returns what could not be looked at, by rows.
   */
  async run(inventory: Rows, options: BulkOptions): Promise<readonly RowFailure[]> {
    const { artifacts, places } = inventory;
    const order = makeOrder(inventory, options.task);
    const work = new BulkWork(this.#host, artifacts, places, options.task);
    const show = progressTo(order, options.onProgress);
    let threads: readonly Thread[] = [];
    const join = (): void => {
      this.prepare();
      threads = this.#threads ?? [];
      for (const thread of threads) thread.send(order);
    };
    if (artifacts.count >= MANY_ARTIFACTS) join();
    await runLane(work, order, {
      breathe: async () => {
        if (this.#threads === null && work.bytesRead >= MANY_BYTES) join();
        show();
        await this.#host.clock.breathe();
      },
      signal: options.signal,
    });
    const others = options.signal?.aborted === true ? [] : await Promise.all(threads.map(failuresOf));
    if (others.includes(null)) await doRest(work, order, options.signal);
    show();
    return [...work.failures, ...others.flatMap((each) => each ?? [])].toSorted((a, b) => a.row - b.row);
  }
}

function makeOrder({ artifacts, places }: Rows, task: BulkTask): BulkOrder {
  return {
    table: artifacts.shared,
    places: places.map(({ path }) => ({ path })),
    task,
    slice: Math.max(1, Math.min(MAX_SLICE, Math.floor(artifacts.count / MIN_SLICES))),
    cursor: new SharedArrayBuffer(8),
    figures: new SharedArrayBuffer(8 * FIGURES),
  };
}

function startThreads(host: Host): readonly Thread[] {
  const threads: Thread[] = [];
  for (let lane = 1; lane < Math.min(MAX_LANES, host.machine.processors); lane += 1) {
    const thread = host.threads?.start(new URL('./bulk-thread.js', import.meta.url)) ?? null;
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

/** Claims slices until none is left. */
export async function runLane(work: BulkWork, order: BulkOrder, options: LaneOptions): Promise<void> {
  const { slice, table } = order;
  const cursor = new UnitCursor(Math.ceil(table.count / slice), order.cursor);
  const figures = new BigInt64Array(order.figures);
  for (let index = cursor.claim(); index !== null; index = cursor.claim()) {
    if (options.signal?.aborted === true) return;
    const start = index * slice;
    const end = Math.min(start + slice, table.count);
    const before = work.bytesRead;
    work.do({ start, end });
    Atomics.add(figures, 0, BigInt(end - start));
    Atomics.add(figures, 1, BigInt(work.bytesRead - before));
    await options.breathe();
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
