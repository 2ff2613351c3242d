import type { Files } from '../host/files.js';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';
import { Breath } from '../schedule/breath.js';
import type { BatchShortcut, KnownJob } from './batch-shortcut.js';
import { resultOf } from './compile.js';
import { handOverNow } from './handover.js';
import { isAsSeen, type Looks } from './looks.js';
import type { CompileResult } from './request.js';
import type { CacheSession, Home } from './session.js';
import { productAt } from './shortcut.js';
import { SHARED_MS } from './shared-looks.js';

/** The jobs of which nothing has changed; none where something has that all of them depend on. */
export function standingJobs({ files }: Host, shortcut: BatchShortcut): readonly KnownJob[] {
  if (!isAsSeen(files, shortcut)) return [];
  return shortcut.jobs.filter(
    (job) => isStanding(files, job) && job.outputs.every(({ path }) => isFree(files, path)),
  );
}

/** What a job looked at alone; there is nothing where others have looked at all of it, too. */
function isStanding(files: Files, job: KnownJob): boolean {
  return job.looks === '' || isAsSeen(files, job);
}

/**
 * Nothing, or a file of one name. A folder is a mistake of the manifest, and what else lies there may be what another job
 * names: those are told before anything is written.
 */
function isFree(files: Files, path: string): boolean {
  try {
    const there = files.lstat(path);
    return there === null || (there.type === 'file' && there.links === 1);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/**
 * Delivers what the jobs of a shortcut came to, each looked at once more just before. What is not taken goes the long way,
 * which finds out why.
 */
export class KnownHits {
  /** The indices of the jobs that were taken. */
  readonly taken = new Set<number>();
  readonly #host: Host;
  readonly #session: CacheSession;
  readonly #looks: Looks;
  readonly #jobs: ReadonlyMap<number, KnownJob>;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #hasChanged = false;

  /** @param host as it is, where the session's notes what is looked at. */
  constructor(host: Host, session: CacheSession, known: Looks & Pick<BatchShortcut, 'jobs'>) {
    this.#host = host;
    this.#session = session;
    this.#looks = known;
    this.#jobs = new Map(known.jobs.map((job) => [job.index, job]));
  }

  /** All that it knows, until something has changed that all depend on, or the signal comes. */
  async takeAll(options: {
    readonly signal: AbortSignal;
    onTaken(job: KnownJob, result: CompileResult): void;
  }): Promise<void> {
    const home = await this.#session.homeOrNull();
    if (home === null) return;
    const breath = new Breath(this.#host.clock);
    for (const job of this.#jobs.values()) {
      if (options.signal.aborted) return;
      const result = this.take(home, job.index);
      if (result !== null) options.onTaken(job, result);
      if (this.#session.mustSaveCounters) await this.#session.saveCounters();
      if (breath.isDue) await breath.take();
    }
  }

  /** Its jobs are those of another manifest than the one that is there now. */
  forget(): void {
    this.taken.clear();
    this.#hasChanged = true;
  }

  /** What a job came to; null for one that goes the long way. */
  take(home: Home, index: number): CompileResult | null {
    const job = this.#jobs.get(index);
    if (job === undefined) return null;
    try {
      const result = this.#isCurrent() ? this.#take(home, job) : null;
      if (result !== null) this.taken.add(index);
      return result;
    } catch (error) {
      // Whatever is in the way is told by who goes the whole way.
      if (error instanceof CacheError || errnoOf(error) !== null) return null;
      throw error;
    }
  }

  /** Whether what all jobs depend on is as it was. Once it is not, it is not looked at again. */
  #isCurrent(): boolean {
    const { clock, files } = this.#host;
    if (this.#hasChanged || clock.monotonicMs() - this.#checkedAtMs < SHARED_MS) return !this.#hasChanged;
    this.#hasChanged = !isAsSeen(files, this.#looks);
    this.#checkedAtMs = clock.monotonicMs();
    return !this.#hasChanged;
  }

  #take(home: Home, job: KnownJob): CompileResult | null {
    const host = this.#host;
    const session = this.#session;
    const startMs = host.clock.monotonicMs();
    if (!isStanding(host.files, job)) return null;
    const product = productAt(host, home.disk.paths, job, session.maxPayloadBytes);
    if (product === null) return null;
    const claimant = { host, paths: session.paths, openLock: () => session.openLock() };
    const destination = { outputs: job.outputs, inWorker: true };
    const outputs = handOverNow(claimant, destination, product);
    if (outputs === null) return null;
    const produced = { product, waited: false, degraded: false };
    const delivery = { outputs, error: null };
    return resultOf(session, job, { produced, product, delivery, startMs, stopped: false });
  }
}
