import type { Clock } from '../host/clock.js';
import type { JobQueue, Taken } from './job-queue.js';

/**
 * How work ended. `busy`: somebody else is doing it, come back later. `lane-died`: it could not be done here, which
 * says nothing about the job.
 */
export type WorkEnd = 'done' | 'busy' | 'lane-died';

export interface LaneOptions<T> {
  /** Jobs at once; at least 1. */
  readonly softLimit: number;
  /** Jobs at once while critical ones wait; at least the soft limit. */
  readonly hardLimit: number;
  /** A job is given up when this many lanes died with it; at least 1. */
  readonly maxDeaths: number;
  readonly clock: Clock;
  /** Aborted: no further job is begun. */
  readonly signal?: AbortSignal;
  /** Called for a job that is in the queue no more, and was not done. */
  onGivenUp(job: T): void;
}

/** With `mustWait` it waits for whoever else is doing the job, and never ends `busy`. */
export type Work<T> = (job: T, how: { readonly mustWait: boolean }) => Promise<WorkEnd>;

/** PVF: the pause before a lane is replaced that could not be started. */
const REPLACE_MS = 3000;

/**
 * Works through a queue until it is closed and empty, or the signal is aborted. A normal job begins only while fewer
 * than `softLimit` run, a critical one while fewer than `hardLimit` run; lanes above the soft limit end by themselves
 * when no critical job is left (PVF: culled). Always resolves after the jobs that were begun have ended.
 *
 * A job that is `busy` is set aside: lanes take other work first. Only when the queue is closed, so that no other work
 * can come, is it taken with `mustWait`.
 *
 * After a death nothing begins until another job has ended, which may have made room, or, when none runs, after a
 * pause.
 * @throws what `work` throws, which is a bug: no further job is begun.
 */
export async function runLanes<T>(queue: JobQueue<T>, options: LaneOptions<T>, work: Work<T>): Promise<void> {
  const { softLimit, hardLimit } = options;
  if (!(softLimit >= 1 && hardLimit >= softLimit)) {
    throw new Error(
      `expected limits of at least 1, the hard one not below the soft one, got ${softLimit} and ${hardLimit}`,
    );
  }
  await new Lanes(queue, options, work).run();
}

class Lanes<T> {
  readonly #queue: JobQueue<T>;
  readonly #options: LaneOptions<T>;
  readonly #work: Work<T>;
  #running = 0;
  #isStopped = false;
  /** A lane died, and nothing has changed since. */
  #isShort = false;
  #isResting = false;
  #failure: { readonly error: unknown } | null = null;
  #end: () => void = () => undefined;

  constructor(queue: JobQueue<T>, options: LaneOptions<T>, work: Work<T>) {
    this.#queue = queue;
    this.#options = options;
    this.#work = work;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    const stop = (): void => {
      this.#isStopped = true;
      this.#advance();
    };
    const leave = this.#queue.consume(() => {
      this.#advance();
    });
    signal?.addEventListener('abort', stop);
    try {
      if (signal?.aborted === true) stop();
      else this.#advance();
      await ended;
    } finally {
      signal?.removeEventListener('abort', stop);
      leave();
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Called after every change: begins what may begin, and sees the end. */
  #advance(): void {
    for (let taken = this.#take(); taken !== null; taken = this.#take()) void this.#run(taken);
    if (this.#running > 0) return;
    if (this.#isStopped || (this.#queue.isClosed && this.#queue.size === 0)) this.#end();
    else if (this.#isShort && !this.#isResting) void this.#rest();
  }

  #take(): Taken<T> | null {
    const { softLimit, hardLimit } = this.#options;
    if (this.#isStopped || this.#isShort) return null;
    if (this.#running >= (this.#queue.hasCritical ? hardLimit : softLimit)) return null;
    const onlyCritical = this.#running >= softLimit;
    const taken = this.#queue.next({ onlyCritical, onlyFresh: !this.#queue.isClosed });
    if (taken !== null) this.#running += 1;
    return taken;
  }

  async #run(taken: Taken<T>): Promise<void> {
    try {
      this.#settle(taken, await this.#work(taken.job, { mustWait: taken.mustWait }));
    } catch (error) {
      this.#failure ??= { error };
      this.#isStopped = true;
    }
    this.#running -= 1;
    this.#advance();
  }

  #settle(taken: Taken<T>, end: WorkEnd): void {
    this.#isShort = end === 'lane-died';
    switch (end) {
      case 'done':
        return;
      case 'busy':
        if (taken.mustWait) throw new Error('expected work that waits, got "busy"');
        this.#queue.setAside(taken);
        return;
      case 'lane-died':
        if (taken.deaths + 1 >= this.#options.maxDeaths) this.#options.onGivenUp(taken.job);
        else this.#queue.pushFront(taken);
        return;
      default:
        end satisfies never;
    }
  }

  async #rest(): Promise<void> {
    this.#isResting = true;
    await this.#options.clock.sleep(REPLACE_MS);
    this.#isResting = false;
    this.#isShort = false;
    this.#advance();
  }
}
