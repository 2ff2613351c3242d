import type { BatchJob, BatchResult } from '../compile/batch.js';
import type { KnownJob } from '../compile/batch-shortcut.js';
import { RecordedLooks } from '../compile/recorded-looks.js';
import type { CompileResult } from '../compile/request.js';
import type { CacheSession } from '../compile/session.js';
import type { KnownHits } from '../compile/take-known.js';
import { CacheError } from '../model/error.js';
import type { Priority } from '../schedule/job-queue.js';
import { bareRun } from './bare-run.js';
import { startBatchProgress, type BatchProgress } from './batch-progress.js';
import { withHost, type Call } from './command.js';
import { jobOptions, REQUEST_OPTIONS } from './compile-request.js';
import { openContext, rootOf, withSession, type Context } from './context.js';
import { EXIT } from './failure.js';
import { loadBatch } from './manifest/load-batch.js';
import { rememberedBatch, type RememberedBatch } from './remembered-batch.js';
import { BatchReport, jobName, renderBatchJob } from './rendering/batch.js';

/** Compiles everything that a manifest describes. @throws CacheError `usage` for a manifest with a mistake in it. */
export async function runManifest(call: Call, source: string): Promise<number> {
  const recorded = new RecordedLooks(call.host);
  const context = await openContext(withHost(call, recorded.host));
  refuseCommand(call);
  const limits = readLimits(context);
  const priority = readPriority(call);
  const remembered = rememberedBatch(call.host, context, { source, recorded });
  if (remembered === null) recorded.giveUp();
  const { environment, cwd, signal } = call;
  const load = async (): Promise<readonly BatchJob[]> =>
    loadBatch({ host: recorded.host, environment, priority, recorded }, { source, cwd, signal });
  // Before anything is written the mistakes of a manifest are told: it is not read where each job is what it was.
  const known = remembered?.known ?? null;
  const jobs = known !== null && known.jobs.length === known.total ? null : await load();
  const total = jobs?.length ?? known?.total ?? 0;
  const progress = await startBatchProgress(context, total);
  const run = new BatchRun(context, { total, jobs, load, remembered }, progress);
  const troubled = await run.work(limits);
  run.finish();
  return run.exitCode(troubled);
}

/** Progress is shown at least this often, however long the compilers take. */
const SHOW_MS = 1000;

/** What describes a compilation belongs into the manifest. */
function refuseCommand({ positionals, command, options }: Call): void {
  const typed = REQUEST_OPTIONS.map(({ flags }) => /--([a-z-]+)/.exec(flags)?.[1] ?? '').find((name) =>
    isTyped(options, name),
  );
  const other =
    positionals[0] ?? (command === null ? null : '--') ?? (typed === undefined ? null : `--${typed}`);
  if (other === null) return;
  throw new CacheError('usage', `expected a manifest or a command, got --manifest and "${other}"`, {
    hint: 'What describes a compilation stands in the manifest; see `vyre-cache help compile`.',
  });
}

function isTyped(options: Call['options'], name: string): boolean {
  const key = name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return options.text(key) !== null || options.list(key).length > 0 || options.flag(key);
}

function readPriority({ options }: Call): Priority {
  const text = options.text('priority') ?? 'normal';
  if (text === 'normal' || text === 'critical') return text;
  throw new CacheError('usage', `expected normal or critical for --priority, got "${text}"`);
}

/** Compilers at once. */
interface Limits {
  readonly jobs: number;
  readonly hardJobs: number;
}

function readLimits({ settings, call }: Context): Limits {
  const jobs = settings.jobs ?? call.host.machine.processors;
  const hardJobs = settings.jobsHard ?? jobs + 1;
  if (hardJobs >= jobs) return { jobs, hardJobs };
  throw new CacheError('usage', `expected at least ${jobs} for --jobs-hard, as for --jobs, got ${hardJobs}`);
}

interface BatchWork {
  /** Jobs of the manifest. */
  readonly total: number;
  /** Null where they have not been read yet. */
  readonly jobs: readonly BatchJob[] | null;
  readonly load: () => Promise<readonly BatchJob[]>;
  readonly remembered: RememberedBatch | null;
}

/** One batch on its way: what the user sees of it. */
class BatchRun {
  readonly #context: Context;
  #total: number;
  readonly #load: BatchWork['load'];
  readonly #remembered: RememberedBatch | null;
  readonly #progress: BatchProgress;
  #report: BatchReport;
  readonly #startMs: number;
  #jobs: readonly BatchJob[] | null;
  #hasBrokenEnvironment = false;

  constructor(context: Context, work: BatchWork, progress: BatchProgress) {
    this.#context = context;
    this.#total = work.total;
    this.#jobs = work.jobs;
    this.#load = work.load;
    this.#remembered = work.remembered;
    this.#progress = progress;
    this.#report = new BatchReport({ keepsRows: context.json });
    this.#startMs = context.call.host.clock.monotonicMs();
  }

  /** @returns whether the cache had trouble. */
  async work(limits: Limits): Promise<boolean> {
    const showing = setInterval(this.#show, SHOW_MS);
    try {
      return this.#context.settings.disable ? await this.#bare(limits) : await this.#cached(limits);
    } finally {
      clearInterval(showing);
    }
  }

  async #cached({ jobs, hardJobs }: Limits): Promise<boolean> {
    const context = this.#context;
    const { compileBatch } = await import('../compile/batch.js');
    const { MEMORY_OF_BATCH } = await import('../store/memory-tier.js');
    const { stderr } = this.#progress;
    return withSession(
      context,
      { root: rootOf(context), memory: MEMORY_OF_BATCH, stderr },
      async (session) => {
        const known = await this.#knownHits(session);
        if (known !== null && this.#jobs === null && (await this.#takeAll(known)))
          return session.troubles.length > 0;
        const loaded = this.#jobs ?? (await this.#loadAfter(known));
        const remembered = this.#remembered;
        await compileBatch(session, loaded, {
          jobs,
          hardJobs,
          compile: jobOptions(context),
          onResult: this.#add,
          onHit: (index, plan, found) => {
            remembered?.addHit(index, plan, found);
          },
          known,
          recorded: remembered?.recorded ?? null,
        });
        const isTroubled = session.troubles.length > 0;
        if (!isTroubled) remembered?.leave(loaded, known?.taken ?? new Set());
        return isTroubled;
      },
    );
  }

  /** For what could not be taken. A manifest that has changed meanwhile is begun anew: its jobs may be others. */
  async #loadAfter(known: KnownHits | null): Promise<readonly BatchJob[]> {
    this.#jobs = await this.#load();
    if (this.#remembered?.isSameManifest() !== false) return this.#jobs;
    known?.forget();
    this.#total = this.#jobs.length;
    this.#report = new BatchReport({ keepsRows: this.#context.json });
    return this.#jobs;
  }

  async #knownHits(session: CacheSession): Promise<KnownHits | null> {
    const { host, known } = this.#remembered ?? { known: null };
    if (known === null) return null;
    const { KnownHits } = await import('../compile/take-known.js');
    return new KnownHits(host, session, known);
  }

  /** @returns whether every job has ended. */
  async #takeAll(known: KnownHits): Promise<boolean> {
    const { signal } = this.#context.call;
    const onTaken = ({ index, name }: KnownJob, result: CompileResult): void => {
      this.#tell({ index, result, error: null }, name);
    };
    await known.takeAll({ signal, onTaken });
    if (signal.aborted) {
      for (let index = 0; index < this.#total; index += 1)
        if (!known.taken.has(index)) this.#tell({ index, result: null, error: null }, '');
    }
    return this.#report.done === this.#total;
  }

  /** The cache is switched off: the commands run as if we were not there, with our stderr for both their streams. */
  async #bare({ jobs }: Limits): Promise<false> {
    const { forEachUnit } = await import('../schedule/units.js');
    await forEachUnit(this.#total, jobs, async ({ start, end }) => {
      for (let index = start; index < end; index += 1) this.#add(await this.#runBare(index));
    });
    return false;
  }

  async #runBare(index: number): Promise<BatchResult> {
    const job = this.#jobs?.[index];
    const context = { ...this.#context, json: true };
    if (job === undefined || context.call.signal.aborted) return { index, result: null, error: null };
    try {
      return { index, result: await bareRun(context, job.plan.request), error: null };
    } catch (thrown) {
      const { errorOfJob } = await import('../compile/batch.js');
      const error = errorOfJob(thrown);
      if (error === null) throw thrown;
      return { index, result: null, error };
    }
  }

  readonly #add = (ended: BatchResult): void => {
    const { plan } = this.#jobs?.[ended.index] ?? {};
    this.#tell(ended, plan === undefined ? '' : jobName(plan));
  };

  #tell(ended: BatchResult, name: string): void {
    const { call, verbose, quiet } = this.#context;
    // Who is interrupted knows why its compilers ended.
    const isStopped = call.signal.aborted && (ended.result?.exitCode ?? 0) !== 0;
    const told = isStopped ? { ...ended, result: null } : ended;
    if (told.error?.code === 'environment') this.#hasBrokenEnvironment = true;
    this.#report.add(told);
    this.#show();
    this.#progress.stderr.write(renderBatchJob(told, { name, verbose, quiet }));
  }

  readonly #show = (): void => {
    this.#progress.show({ done: this.#report.done, total: this.#total, hits: this.#report.hits });
  };

  /** The last words: the document, or one line. */
  finish(): void {
    this.#progress.done();
    const { json, quiet, call } = this.#context;
    const { stdout } = call.terminal;
    if (json) for (const piece of this.#report.json()) stdout.write(piece);
    else if (!quiet) {
      const seconds = (call.host.clock.monotonicMs() - this.#startMs) / 1000;
      stdout.write(`${this.#report.summary(seconds)}\n`);
    }
  }

  exitCode(troubled: boolean): number {
    if (this.#hasBrokenEnvironment || (this.#context.settings.strict && troubled)) return EXIT.environment;
    return this.#report.failed > 0 ? EXIT.negative : EXIT.ok;
  }
}
