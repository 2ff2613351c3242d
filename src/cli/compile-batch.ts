import type { BatchJob, BatchResult } from '../compile/batch.js';
import { CacheError } from '../model/error.js';
import type { Priority } from '../schedule/job-queue.js';
import { bareRun } from './bare-run.js';
import { startBatchProgress, type BatchProgress } from './batch-progress.js';
import type { Call } from './command.js';
import { jobOptions, REQUEST_OPTIONS } from './compile-request.js';
import { rootOf, withSession, type Context } from './context.js';
import { EXIT } from './failure.js';
import { loadBatch } from './manifest/load-batch.js';
import { BatchReport, jobName, renderBatchJob } from './rendering/batch.js';

/** Compiles everything that a manifest describes. @throws CacheError `usage` for a manifest with a mistake in it. */
export async function runManifest(context: Context, source: string): Promise<number> {
  const { call } = context;
  refuseCommand(call);
  const limits = readLimits(context);
  const { host, environment, cwd, signal } = call;
  const jobs = await loadBatch({ host, environment, priority: readPriority(call) }, { source, cwd, signal });
  const run = new BatchRun(context, jobs, await startBatchProgress(context, jobs.length));
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

/** One batch on its way: what the user sees of it. */
class BatchRun {
  readonly #context: Context;
  readonly #jobs: readonly BatchJob[];
  readonly #progress: BatchProgress;
  readonly #report: BatchReport;
  readonly #startMs: number;
  #hasBrokenEnvironment = false;

  constructor(context: Context, jobs: readonly BatchJob[], progress: BatchProgress) {
    this.#context = context;
    this.#jobs = jobs;
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
        const options = { jobs, hardJobs, compile: jobOptions(context), onResult: this.#add };
        await compileBatch(session, this.#jobs, options);
        return session.troubles.length > 0;
      },
    );
  }

  /** The cache is switched off: the commands run as if we were not there, with our stderr for both their streams. */
  async #bare({ jobs }: Limits): Promise<false> {
    const { forEachUnit } = await import('../schedule/units.js');
    await forEachUnit(this.#jobs.length, jobs, async ({ start, end }) => {
      for (let index = start; index < end; index += 1) this.#add(await this.#runBare(index));
    });
    return false;
  }

  async #runBare(index: number): Promise<BatchResult> {
    const job = this.#jobs[index];
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
    const { call, verbose, quiet } = this.#context;
    const { plan } = this.#jobs[ended.index] ?? {};
    // Who is interrupted knows why its compilers ended.
    const isStopped = call.signal.aborted && (ended.result?.exitCode ?? 0) !== 0;
    const told = isStopped ? { ...ended, result: null } : ended;
    if (told.error?.code === 'environment') this.#hasBrokenEnvironment = true;
    this.#report.add(told);
    const name = plan === undefined ? '' : jobName(plan);
    this.#show();
    this.#progress.stderr.write(renderBatchJob(told, { name, verbose, quiet }));
  };

  readonly #show = (): void => {
    this.#progress.show({ done: this.#report.done, total: this.#jobs.length, hits: this.#report.hits });
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
