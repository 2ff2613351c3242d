import type { Host } from '../host/host.js';
import { isThreadShortage, type Thread } from '../host/threads.js';
import { Arrivals } from '../schedule/arrivals.js';
import { UnitCursor } from '../schedule/units.js';
import { RESULT, type SharedTable, memoryOf } from './artifact-table.js';
import { BulkWork, type BulkTask, type RowFailure } from './bulk-work.js';
import { MANY_ARTIFACTS, type Place, type Rows } from './inventory.js';

/** More lanes read no faster: the file system has to keep up. */
const MAX_LANES = 4;
/** The most artifacts that a lane claims at a time, between two looks at the progress and at whatever else waits. */
const MAX_SLICE = { look: 512, check: 128 } as const;
/** Threads that are at work already take their share of as many. */
const SOME_ARTIFACTS = 512;
/** Where there are few artifacts they may be large. */
const MIN_SLICES = 64;
/** Once one thread has read as much, others pay however few artifacts there are. */
const MANY_BYTES = 33_554_432;

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

/** With what tells how far all lanes are. */
interface RunOptions extends Omit<BulkOptions, 'onProgress'> {
  readonly show: () => void;
}

/** All that a thread needs. */
export interface BulkOrder {
  readonly table: SharedTable;
  readonly places: readonly Pick<Place, 'path'>[];
  readonly task: BulkTask;
  /** Artifacts that a lane claims at a time. */
  readonly slice: number;
  readonly cursor: SharedArrayBuffer;
  /** How many artifacts are listed so far: {@link Arrivals}. */
  readonly listed: SharedArrayBuffer;
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
  /** What all lanes have done. */
  readonly #figures = new BigInt64Array(new SharedArrayBuffer(8 * FIGURES));
  #threads: readonly Thread[] | null = null;
  #ahead: WorkAhead | null = null;
  #hasGoneAhead = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Starts the threads: it seems that there will be {@link MANY_ARTIFACTS}. */
  readonly prepare = (): void => {
    this.#threads ??= startThreads(this.#host);
  };

  /**
   * Lets the threads do a task for what is listed so far, while this one lists the rest: the same as the one that is
   * {@link run} afterwards. Its memory cannot grow, so it takes no digests.
   */
  goAhead(task: BulkTask, listed: Rows): void {
    this.prepare();
    const threads = this.#threads ?? [];
    if (threads.length === 0) return;
    this.#ahead ??= this.#beginAhead(threads, listed, task);
    this.#hasGoneAhead = true;
    const { order, arrivals } = this.#ahead;
    arrivals.add(listed.artifacts.lendRows(order.table));
  }

  async stop(): Promise<void> {
    await Promise.all((this.#threads ?? []).map(async (thread) => thread.stop()));
  }

  /**
   * Does a task for every artifact of an inventory; what it finds stands in the table. Threads claim slices from one
   * cursor, and this thread does as well.
   * @returns what could not be looked at, by rows.
   */
  async run(inventory: Rows, options: BulkOptions): Promise<readonly RowFailure[]> {
    const show = progressTo(this.#figures, options.onProgress);
    const failures = [
      ...(await this.#endAhead(inventory, { ...options, show })),
      ...(await this.#doRest(inventory, { ...options, show })),
    ];
    show();
    return failures.toSorted((a, b) => a.row - b.row);
  }

  #beginAhead(threads: readonly Thread[], listed: Rows, task: BulkTask): WorkAhead {
    const arrivals = new Arrivals();
    const table = listed.artifacts.lend();
    const order = this.#orderFor(listed, task, { table, listed: arrivals.memory });
    return { order, arrivals, answers: askAll(threads, order) };
  }

  /**
   * This thread takes part where the threads can go on: with another order, they would forget what V8 has learned. Else
   * they end it, and what is left is done as if they had done nothing.
   * @returns what could not be looked at.
   */
  async #endAhead({ artifacts, places }: Rows, options: RunOptions): Promise<readonly RowFailure[]> {
    if (this.#ahead === null) return [];
    const { order, arrivals, answers } = this.#ahead;
    this.#ahead = null;
    const cursor = cursorOf(order);
    const goesOn = artifacts.adopt(order.table, cursor.claimed * order.slice);
    if (goesOn) arrivals.add(artifacts.count);
    else cursor.end();
    arrivals.end();
    const work = goesOn ? new BulkWork(this.#host, artifacts, places, order.task) : null;
    if (work !== null) await runLane(work, order, this.#laneOptions(options));
    if (options.signal?.aborted === true) cursor.end();
    const answered = await Promise.all(answers);
    const forgotten = artifacts.takeBack(order.table);
    this.#figures[0] = (this.#figures[0] ?? 0n) - BigInt(forgotten);
    const { results } = artifacts;
    return [work?.failures, ...answered]
      .flatMap((each) => each ?? [])
      .filter(({ row }) => results[row] === RESULT.failed);
  }

  /** What nobody has done yet. */
  async #doRest(inventory: Rows, options: RunOptions): Promise<readonly RowFailure[]> {
    const { artifacts, places } = inventory;
    if (!artifacts.results.subarray(0, artifacts.count).includes(RESULT.none)) return [];
    const order = this.#orderFor(inventory, options.task, {
      table: artifacts.shared,
      listed: Arrivals.complete(artifacts.count).memory,
    });
    const work = new BulkWork(this.#host, artifacts, places, options.task);
    const answers: Answer[] = [];
    let hasJoined = false;
    const join = (): void => {
      this.prepare();
      hasJoined = true;
      answers.push(...askAll(this.#threads ?? [], order));
    };
    const left = artifacts.count - Number(this.#figures[0]);
    if (left >= (this.#hasGoneAhead ? SOME_ARTIFACTS : MANY_ARTIFACTS)) join();
    const lane = this.#laneOptions(options, () => {
      if (!hasJoined && work.bytesRead >= MANY_BYTES) join();
    });
    await runLane(work, order, lane);
    const others = options.signal?.aborted === true ? [] : await Promise.all(answers);
    // What a thread that is gone has claimed and not done is done here.
    if (others.includes(null)) await runLane(work, { ...order, cursor: new SharedArrayBuffer(8) }, lane);
    return [work.failures, ...others].flatMap((each) => each ?? []);
  }

  #laneOptions({ show, signal }: RunOptions, look: () => void = () => undefined): LaneOptions {
    const breathe = async (): Promise<void> => {
      look();
      show();
      await this.#host.clock.breathe();
    };
    return { breathe, signal };
  }

  #orderFor(
    { places }: Rows,
    task: BulkTask,
    { table, listed }: Pick<BulkOrder, 'table' | 'listed'>,
  ): BulkOrder {
    return {
      table,
      listed,
      places: places.map(({ path }) => ({ path })),
      task,
      slice: Math.max(1, Math.min(MAX_SLICE[task.kind], Math.floor(table.count / MIN_SLICES))),
      cursor: new SharedArrayBuffer(8),
      figures: memoryOf(this.#figures),
    };
  }
}

/** What the threads do while this one still lists. */
interface WorkAhead {
  readonly order: BulkOrder;
  readonly arrivals: Arrivals;
  readonly answers: readonly Answer[];
}

function startThreads(host: Host): readonly Thread[] {
  const threads: Thread[] = [];
  for (let lane = 1; lane < Math.min(MAX_LANES, host.machine.processors); lane += 1) {
    const thread = host.threads?.start(new URL('./bulk-thread.cjs', import.meta.url)) ?? null;
    if (thread !== null) threads.push(thread);
  }
  return threads;
}

type Answer = Promise<readonly RowFailure[] | null>;

function askAll(threads: readonly Thread[], order: BulkOrder): readonly Answer[] {
  return threads.map((thread) => {
    const answer = failuresOf(thread, order);
    // Who stops a thread does not wait for its answer.
    answer.catch(() => undefined);
    return answer;
  });
}

/** Null for a thread that the machine could not start or keep. */
async function failuresOf(thread: Thread, order: BulkOrder): Promise<readonly RowFailure[] | null> {
  try {
    // What `bulk-lane.ts` answers.
    return (await thread.ask(order)) as readonly RowFailure[];
  } catch (error) {
    if (!isThreadShortage(error)) throw error;
    return null;
  }
}

function cursorOf({ table, slice, cursor }: BulkOrder): UnitCursor {
  return new UnitCursor(Math.ceil(table.count / slice), cursor);
}

export interface LaneOptions {
  breathe(): Promise<void>;
  readonly signal: AbortSignal | null;
}

/** Claims slices until none is left. */
export async function runLane(work: BulkWork, order: BulkOrder, options: LaneOptions): Promise<void> {
  const { slice, table } = order;
  const cursor = cursorOf(order);
  const listed = new Arrivals(order.listed);
  const figures = new BigInt64Array(order.figures);
  for (let index = cursor.claim(); index !== null; index = cursor.claim()) {
    if (options.signal?.aborted === true) return;
    const start = index * slice;
    const end = listed.await(Math.min(start + slice, table.count));
    // There is room for more than there were.
    if (end <= start) return;
    const before = { done: work.done, bytesRead: work.bytesRead };
    work.do({ start, end });
    Atomics.add(figures, 0, BigInt(work.done - before.done));
    Atomics.add(figures, 1, BigInt(work.bytesRead - before.bytesRead));
    await options.breathe();
  }
}

/** Tells how far all lanes are, when that is news. */
function progressTo(
  figures: BigInt64Array,
  onProgress: ((progress: BulkProgress) => void) | null,
): () => void {
  let shown = 0;
  return () => {
    const [files = 0n, bytes = 0n] = figures;
    if (Number(files) === shown) return;
    shown = Number(files);
    onProgress?.({ files: shown, bytes: Number(bytes) });
  };
}
