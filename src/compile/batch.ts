import { CacheError, errnoOf, messageOf, type ErrorCode } from '../model/error.js';
import { Breath } from '../schedule/breath.js';
import { runLanes } from '../schedule/lanes.js';
import { JobQueue, type Priority } from '../schedule/job-queue.js';
import { forEachUnit } from '../schedule/units.js';
import { IdleWorkers } from '../store/idle-workers.js';
import { compilePlan, type Deferred } from './compile.js';
import { identityOf } from './description.js';
import type { Found } from './lookup-store.js';
import type { Plan } from './plan.js';
import type { Effort, Looked } from './hit.js';
import type { Identity } from './identity.js';
import type { RecordedLooks } from './recorded-looks.js';
import type { CompileOptions, CompileResult } from './request.js';
import type { CacheSession, Home } from './session.js';
import { SharedLooks } from './shared-looks.js';
import { isAsked, takeHit } from './take-hit.js';
import type { KnownHits } from './take-known.js';

/** One compilation of a batch. */
export interface BatchJob {
  readonly plan: Plan;
  readonly priority: Priority;
  /** Of this job; null takes the limit of the batch. */
  readonly timeoutMs: number | null;
  readonly memoryBytes: number | null;
}

/** What became of a job. Both are null for one that was never started, because the batch was asked to stop. */
export interface BatchResult {
  /** Of the job, from 0. */
  readonly index: number;
  readonly result: CompileResult | null;
  /** Why the compiler could not be run. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface BatchOptions {
  /** For every job. */
  readonly compile: CompileOptions;
  /** Compilers at once. */
  readonly jobs: number;
  /** Compilers at once while critical jobs wait; at least `jobs`. */
  readonly hardJobs: number;
  /** Called once per job, as it ends. */
  onResult(result: BatchResult): void;
  /** Asked first; what it has taken before the batch began has ended. */
  readonly known?: KnownHits | null;
  /** Told which look was made for which job, and that none counts where one of them was no hit. */
  readonly recorded?: RecordedLooks | null;
  /** Told of each plain hit what was found, in the moment after it was. */
  onHit?(index: number, plan: Plan, found: Found): void;
}

/** A compiler that the machine cannot start for want of processes, memory or descriptors is tried this often. */
const MAX_DEATHS = 5;
const SHORTAGE: ReadonlySet<string> = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

/**
 * Compiles many things: everything is looked up first, in units of equal work; what the cache does not have goes
 * through the queue, whose lanes take other work instead of waiting for another process. Trouble of one job ends no
 * other. An aborted `compile.signal` ends the running compilers and starts no further one.
 */
export async function compileBatch(
  session: CacheSession,
  jobs: readonly BatchJob[],
  options: BatchOptions,
): Promise<void> {
  const batch = new Batch(session, jobs, options);
  const idle = new IdleWorkers(session.host, session.paths);
  session.workerStock = idle;
  try {
    await batch.run();
  } finally {
    session.workerStock = null;
    idle.close();
  }
}

class Batch {
  readonly #session: CacheSession;
  readonly #jobs: readonly BatchJob[];
  readonly #options: BatchOptions;
  readonly #queue = new JobQueue<number>();
  /** By the index of the job. */
  readonly #told: Uint8Array;
  /** After a bug nothing more is begun. */
  #isBroken = false;
  readonly #breath: Breath;
  readonly #looks: SharedLooks;
  readonly #hitOptions: CompileOptions;

  constructor(session: CacheSession, jobs: readonly BatchJob[], options: BatchOptions) {
    this.#session = session;
    this.#jobs = jobs;
    this.#options = options;
    this.#told = new Uint8Array(jobs.length);
    this.#breath = new Breath(session.host.clock);
    const { compile, recorded = null, known } = options;
    const { clock } = session.host;
    this.#looks =
      recorded === null
        ? new SharedLooks(clock)
        : new SharedLooks(clock, (work) => recorded.forAllJobs(work));
    this.#hitOptions = recorded === null ? compile : { ...compile, onFound: () => recorded.pause() };
    for (const index of known?.taken ?? []) this.#told[index] = 1;
  }

  async run(): Promise<void> {
    const ended = await Promise.allSettled([this.#lookUpAll(), this.#compileAll()]);
    for (const index of this.#jobs.keys()) this.#tell({ index, result: null, error: null });
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }

  async #lookUpAll(): Promise<void> {
    const order = this.#lookupOrder();
    try {
      // Where it cannot be used each job finds that out in its turn.
      const home = this.#options.compile.noCache ? null : await this.#session.homeOrNull();
      await forEachUnit(order.length, this.#options.jobs, async ({ start, end }) => {
        for (const index of order.subarray(start, end)) {
          if (this.#isStopped) return;
          if (this.#told[index] === 0) await this.#lookAt(index, home);
          if (this.#session.mustSaveCounters) await this.#session.saveCounters();
          if (this.#breath.isDue) await this.#breath.take();
        }
      });
    } finally {
      this.#queue.close();
    }
  }

  async #lookAt(index: number, home: Home | null): Promise<void> {
    const { plan } = this.#job(index);
    if (home === null || !isAsked(plan, this.#options.compile)) {
      await this.#lookUp(index, null);
      return;
    }
    if (this.#takeKnown(index, home)) return;
    const identity = this.#looks.identity(plan.pattern) ?? (await this.#identify(plan));
    const looked = identity === null ? null : this.#takeHit(index, { home, plan, identity });
    if (looked !== 'done') await this.#lookUp(index, looked);
  }

  #takeKnown(index: number, home: Home): boolean {
    const result = this.#options.known?.take(home, index) ?? null;
    if (result === null) return false;
    this.#tell({ index, result, error: null });
    return true;
  }

  /** Null where something is in the way. */
  async #identify(plan: Plan): Promise<Identity | null> {
    try {
      const identity = await identityOf(this.#session, plan, this.#options.compile.signal);
      this.#looks.keepIdentity(plan.pattern, identity);
      return identity;
    } catch (error) {
      if (error instanceof CacheError || errnoOf(error) !== null || this.#isStopReason(error)) return null;
      throw error;
    }
  }

  /** Critical jobs first: what they miss is in the queue before anything else is. */
  #lookupOrder(): Uint32Array {
    const critical: number[] = [];
    const normal: number[] = [];
    for (const [index, { priority }] of this.#jobs.entries()) {
      (priority === 'critical' ? critical : normal).push(index);
    }
    return Uint32Array.from([...critical, ...normal]);
  }

  get #isStopped(): boolean {
    return this.#isBroken || this.#options.compile.signal?.aborted === true;
  }

  /** Hits need nothing that has to be waited for. What was looked up in vain is not looked up again at once. */
  #takeHit(
    index: number,
    job: { readonly home: Home; readonly plan: Plan; readonly identity: Identity },
  ): Looked | 'done' | null {
    const { recorded = null } = this.#options;
    const asked = { ...job, options: this.#hitOptions };
    const work = (): ReturnType<typeof takeHit> => takeHit(this.#session, asked, this.#looks);
    try {
      const taken = recorded === null ? work() : recorded.inTurnOf(index, work);
      if (taken === null || 'looked' in taken) return taken?.looked ?? null;
      this.#options.onHit?.(index, job.plan, taken.found);
      this.#tell({ index, result: taken.result, error: null });
    } catch (error) {
      if (!this.#isStopReason(error)) this.#tellError(index, error);
    }
    return 'done';
  }

  async #lookUp(index: number, looked: Looked | null): Promise<void> {
    this.#options.recorded?.giveUp();
    const answer = await this.#attempt(index, 'look', looked);
    if (answer === 'done') return;
    const { priority } = this.#job(index);
    const primary = answer === 'no-start' ? null : answer.primary;
    this.#queue.push(index, { priority, key: primary ?? `job ${index}` });
  }

  async #compileAll(): Promise<void> {
    const { jobs, hardJobs, compile } = this.#options;
    const { clock } = this.#session.host;
    const signal = compile.signal === undefined ? {} : { signal: compile.signal };
    const limits = { softLimit: jobs, hardLimit: hardJobs, maxDeaths: MAX_DEATHS };
    const onGivenUp = (index: number): void => {
      this.#tell({ index, result: null, error: NO_START });
    };
    await runLanes(this.#queue, { ...limits, clock, ...signal, onGivenUp }, async (index, { mustWait }) => {
      if (this.#isStopped) return 'done';
      const answer = await this.#attempt(index, mustWait ? 'wait' : 'try');
      if (answer === 'done') return answer;
      return answer === 'no-start' ? 'lane-died' : 'busy';
    });
  }

  /** `done` when the job has ended, whatever became of it. */
  async #attempt(
    index: number,
    effort: Effort,
    looked: Looked | null = null,
  ): Promise<Deferred | 'no-start' | 'done'> {
    const { plan } = this.#job(index);
    try {
      const shared = effort === 'look' ? { looks: this.#looks } : {};
      const known = looked === null ? {} : { looked };
      const options = { ...this.#optionsOf(index), ...shared, ...known, effort };
      const answer = await compilePlan(this.#session, plan, options);
      if ('deferred' in answer) return answer;
      this.#tell({ index, result: answer, error: null });
    } catch (error) {
      if (isShortage(error)) return 'no-start';
      if (!this.#isStopReason(error)) this.#tellError(index, error);
    } finally {
      if (this.#session.mustSaveCounters) await this.#session.saveCounters();
    }
    return 'done';
  }

  #optionsOf(index: number): CompileOptions {
    const { compile } = this.#options;
    const { timeoutMs, memoryBytes } = this.#job(index);
    return timeoutMs === null && memoryBytes === null
      ? compile
      : {
          ...compile,
          timeoutMs: timeoutMs ?? compile.timeoutMs,
          memoryBytes: memoryBytes ?? compile.memoryBytes,
        };
  }

  /** True for what those throw who are asked to stop. */
  #isStopReason(error: unknown): boolean {
    const { signal } = this.#options.compile;
    return signal?.aborted === true && error === signal.reason;
  }

  #tellError(index: number, thrown: unknown): void {
    const error = errorOfJob(thrown);
    if (error === null) {
      this.#isBroken = true;
      throw thrown;
    }
    this.#tell({ index, result: null, error });
  }

  #job(index: number): BatchJob {
    const job = this.#jobs[index];
    if (job === undefined) throw new Error(`there is no job ${index}`);
    return job;
  }

  #tell(result: BatchResult): void {
    if (this.#told[result.index] === 1) return;
    this.#told[result.index] = 1;
    this.#options.onResult(result);
  }
}

const NO_START: BatchResult['error'] = {
  code: 'environment',
  message: 'the machine has no room for another process; the compiler could not be started',
};

/** True when the compiler may well start a little later. */
function isShortage(error: unknown): boolean {
  const errno = errnoOf(error instanceof CacheError ? error.cause : error);
  return errno !== null && SHORTAGE.has(errno);
}

/**
 * What was thrown as the trouble of one job; null for a bug. A failed system call that nobody has given words of its own
 * says nothing about the other jobs.
 */
export function errorOfJob(error: unknown): BatchResult['error'] {
  if (error instanceof CacheError) return error;
  return errnoOf(error) === null ? null : { code: 'environment', message: messageOf(error) };
}
