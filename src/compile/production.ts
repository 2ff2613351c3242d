import {
  createWorkerDirectory,
  findWorkers,
  reclaimIfDead,
  type WorkerDirectory,
} from '../store/worker-directory.js';
import { fingerprintByte } from '../store/lock-file.js';
import { errnoOf, troubleKind } from '../model/error.js';
import { isDamage, type MissReason, type Uncacheable } from '../model/lifecycle.js';
import { embeds, execute, judgeExecution, succeeded, type Execution } from './execution.js';
import { memoisedBy } from './identity.js';
import type { Job } from './job.js';
import { failureInForce, isMemorable, rememberFailure, repeatFailure } from './failure-memory.js';
import { hit, type Asked, type Effort } from './hit.js';
import { find, type NotFound } from './lookup-store.js';
import { missReason } from './miss-reason.js';
import { claimingOutputs } from './output-claims.js';
import { lineOf } from './planned-command.js';
import type { Produced, Product } from './product.js';
import { keep, resultOf } from './publication.js';
import { rememberRequest, settingDigest, requestShape } from './request-history.js';
import type { CompileOptions } from './request.js';
import { exitCodeOf } from './runner.js';
import { runInCallerSetting } from './uncached.js';
import { markUnstored, wasUnstoredSince } from './unstored-mark.js';

/** Below this a failed compilation may have failed for want of space. */
const NEARLY_FULL_BYTES = 16_777_216;

/** How often somebody is looked at who owns a worker directory of a fingerprint whose lock we hold. */
const TAKEOVER_LOOKS = 5;
const TAKEOVER_WAIT_MS = 10;

const WITHOUT_LOCKS =
  'processes that ask for the same artifact at once all compile it: the optional package "fs-native-extensions" is not installed';

/** Steps 2 to 6 of the life of an artifact, for what was not found: lock, take over, compile, publish. */
export async function produce(job: Job, effort: Effort, asked: Asked): Promise<Produced | 'deferred'> {
  const { session, home, description, options } = job;
  const { first, atMs: askedMs } = asked;
  const repeated = first === null ? null : repeat(job, first, { askedAtMs: askedMs, waited: false });
  if (repeated !== null) return repeated;
  if (effort === 'look') return 'deferred';
  await session.sweep(home);
  const reason = first === null ? reasonWithoutLook(options) : reasonOf(job, first);
  if (!home.lock.excludesProcesses) session.addNote(WITHOUT_LOCKS);
  let waitingSinceMs: number | null = null;
  const onWait = (): void => {
    waitingSinceMs = session.host.clock.nowMs();
    announceWait(job);
  };
  const byte = fingerprintByte(description.primary);
  const work = async (): Promise<Produced | 'unstorable'> =>
    underLock(job, { askedMs, waitingSinceMs, reason });
  const waiting = { timeoutMs: options.lockTimeoutMs, onWait, ...signalOf(options) };
  const held =
    effort === 'wait' ? await home.lock.hold(byte, waiting, work) : await home.lock.tryHold(byte, work);
  if (!held.held && effort === 'try') return 'deferred';
  if (!held.held && options.signal?.aborted === true)
    return { product: STOPPED, waited: true, degraded: false };
  if (held.held && held.value !== 'unstorable') return held.value;
  if (reason === null) throw new Error('expected a reason for a compilation that was waited for');
  const notStored = held.held ? 'store-failed' : 'lock-timeout';
  return unstored(job, { reason, notStored, waited: true });
}

/** The caller was asked to stop while it waited. */
const STOPPED: Product = {
  stopped: true,
  fingerprint: null,
  outcome: null,
  reason: null,
  notStored: null,
  exitCode: exitCodeOf('stopped'),
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  streamed: false,
  compileSeconds: 0,
  outputs: null,
};

function reasonOf(job: Job, miss: NotFound): MissReason {
  const { session, home, plan, description } = job;
  return missReason(session, home, { plan, description, miss });
}

/** A refresh looks nowhere: whatever is there, it compiles. Null for all others, who look under the lock. */
function reasonWithoutLook(options: CompileOptions): MissReason | null {
  return options.refresh ? 'refresh' : null;
}

/** The answer of a failure that is in force; null without one. */
function repeat(
  job: Job,
  miss: NotFound,
  asked: { readonly askedAtMs: number; readonly waited: boolean },
): Produced | null {
  const { session, plan, options } = job;
  const known = failureInForce(session, { plan, options, askedAtMs: asked.askedAtMs }, miss.failures);
  if (known === null) return null;
  return { product: repeatFailure(session, plan, known), waited: asked.waited, degraded: false };
}

function signalOf(options: CompileOptions): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}

/** Tells who compiles what this caller waits for. */
function announceWait(job: Job): void {
  const { session, home, description, options } = job;
  if (options.onWaiting === undefined) return;
  const worker = findWorkers(session.host, home.paths).find(
    (found) => found.owner?.fingerprint === description.primary,
  );
  options.onWaiting({ pid: worker?.owner?.pid ?? null, sinceMs: worker?.owner?.startedAtMs ?? null });
}

async function underLock(
  job: Job,
  state: {
    /** When the caller asked. */
    readonly askedMs: number;
    /** Null for who got the lock at once. */
    readonly waitingSinceMs: number | null;
    /** As it was before the lock; null for who has not looked. */
    readonly reason: MissReason | null;
  },
): Promise<Produced | 'unstorable'> {
  const { session, home, description, options } = job;
  const { waitingSinceMs } = state;
  const { primary } = description;
  const waited = waitingSinceMs !== null;
  const again = reasonWithoutLook(options) ?? (await lookAgain(job, state.askedMs, waited));
  if (typeof again === 'object') return again;
  const reason = state.reason ?? again;
  await takeOver(job);
  if (waited && !options.refresh && wasUnstoredSince(session.host, home.paths, primary, waitingSinceMs)) {
    return 'unstorable';
  }
  const produced = await compileAndPublish(job, { waited, reason });
  if (isUnstorable(produced) && options.signal?.aborted !== true)
    markUnstored(session.host, home.paths, primary);
  return produced;
}

/** Under the lock: what somebody has made meanwhile, or why there is nothing. */
async function lookAgain(job: Job, askedAtMs: number, waited: boolean): Promise<Produced | MissReason> {
  const { session, home, plan, description } = job;
  const again = await find(session, home, { plan, description });
  if (again.hit) return hit(job, again, waited);
  return repeat(job, again, { askedAtMs, waited }) ?? reasonOf(job, again);
}

/** True for what would come to the same for everybody who waits: not a limit of this caller, nor a race. */
function isUnstorable({ product, degraded }: Produced): boolean {
  if (product.outcome === 'remembered-failure') return false;
  // A failure with a fingerprint is remembered, and those who wait repeat it.
  if (product.outcome === 'failed')
    return product.fingerprint === null && !LIMIT_STATUSES.has(product.exitCode);
  if (product.notStored === 'input-changed' || product.notStored === 'output-contested') return false;
  return degraded || product.notStored !== null;
}

const LIMIT_STATUSES: ReadonlySet<number> = new Set([exitCodeOf('timeout'), exitCodeOf('memory')]);

/**
 * Who died while compiling this: what was left behind is ended and removed, since it may still write to the outputs.
 * A sweep that looks at the dead owner in the same moment holds its lock, which must not pass for life.
 */
async function takeOver(job: Job): Promise<void> {
  const { session, home, description } = job;
  const { host } = session;
  for (let look = 0; look < TAKEOVER_LOOKS; look += 1) {
    const left = findWorkers(host, home.paths).filter(
      (worker) => worker.owner?.fingerprint === description.primary,
    );
    if (left.length === 0) return;
    if (look > 0) await host.clock.sleep(TAKEOVER_WAIT_MS);
    for (const worker of left) await reclaimIfDead(host, home.paths, worker);
  }
}

async function compileAndPublish(
  job: Job,
  state: { readonly waited: boolean; readonly reason: MissReason },
): Promise<Produced> {
  const { session, home, description } = job;
  let worker: WorkerDirectory;
  try {
    worker = createWorkerDirectory(session.host, home.paths, description.primary, session.workerStock);
  } catch (error) {
    return degrade(job, { error, waited: state.waited });
  }
  let produced: Produced | null = null;
  try {
    produced = job.plan.inWorker
      ? await compileIn(job, worker, state)
      : await claimingOutputs(session, job.plan, async (claim) => {
          // An orphan of somebody who was killed may still write here: his claim died with him, and it did not.
          await reclaimDead(job, worker);
          return compileIn({ ...job, claim }, worker, state);
        });
    return produced;
  } finally {
    if (produced !== null && isStored(produced)) worker.handOn();
    else worker.remove();
  }
}

/** True for what nothing speaks against: no child was left running, and no file. */
function isStored({ product }: Produced): boolean {
  const isMade = product.outcome === 'compiled' || product.outcome === 'recompiled';
  return isMade && product.notStored === null;
}

/** Ends what dead processes left running, whatever they compiled. */
async function reclaimDead(job: Job, own: WorkerDirectory): Promise<void> {
  const { session, home } = job;
  for (const worker of findWorkers(session.host, home.paths)) {
    if (worker.random !== own.random) await reclaimIfDead(session.host, home.paths, worker);
  }
}

/** The home cannot take a compilation: the compiler runs all the same, and nothing of it is kept. */
async function degrade(
  job: Job,
  cause: { readonly error: unknown; readonly waited: boolean; readonly execution?: Execution },
): Promise<Produced> {
  const errno = errnoOf(cause.error);
  if (errno === null) throw cause.error;
  const message = `the cache at "${job.home.paths.root}" cannot be used (${errno})`;
  job.session.addDegraded({ reason: troubleKind(errno), message });
  const silent = cause.execution !== undefined && wasHeard(job, cause.execution);
  const product = await runInCallerSetting(job.session, { ...job, silent });
  return { product, waited: cause.waited, degraded: true };
}

async function compileIn(
  job: Job,
  worker: WorkerDirectory,
  state: { readonly waited: boolean; readonly reason: MissReason },
): Promise<Produced> {
  const { session, plan, description, options } = job;
  const { host } = session;
  // Who names the files that a program reads has done what the note asks for.
  const { uncovered } = description.identity;
  if (uncovered !== null && plan.request.deps.length === 0) session.addNote(uncovered);
  const mode = plan.inWorker ? 'worker' : 'place';
  const onOverflow = options.onOverflow ?? null;
  let execution: Execution;
  try {
    execution = await execute(host, {
      plan,
      options,
      setting: { mode, worker, primary: description.primary },
      onOverflow,
      asksAfterFailure: (result) => isMemorable(job, result),
      memoised: memoisedBy(session, lineOf(plan)),
    });
  } catch (error) {
    return degrade(job, { error, waited: state.waited });
  }
  // Somebody removed the home while the compiler ran.
  if (host.files.lstat(worker.path) === null) {
    return degrade(job, { error: errnoError('ENOENT'), waited: state.waited, execution });
  }
  return succeeded(execution.run)
    ? settleSuccess(job, { execution, worker }, state)
    : settleFailure(job, { execution, worker }, state);
}

interface Done {
  readonly execution: Execution;
  readonly worker: WorkerDirectory;
}

async function settleSuccess(
  job: Job,
  done: Done,
  state: { readonly waited: boolean; readonly reason: MissReason },
): Promise<Produced> {
  const { execution, worker } = done;
  const objection = judgeExecution(job.session.host, execution, worker);
  if (objection === 'embeds-path') rememberEmbedding(job);
  if (objection === 'embeds-path' || madeIrregular(job, execution)) {
    return repeatInCallerSetting(job, { execution, notStored: objection ?? 'irregular-output' }, state);
  }
  const outcome = outcomeOf(state.reason);
  const product = await keep(job, { execution, worker, objection, outcome, reason: state.reason });
  return { product, waited: state.waited, degraded: false };
}

/** A failure that the cache may have caused is the user's only when the compiler fails without it, too. */
async function settleFailure(
  job: Job,
  done: Done,
  state: { readonly waited: boolean; readonly reason: MissReason },
): Promise<Produced> {
  const { execution, worker } = done;
  const endedByItself = typeof execution.run.end === 'object';
  if (endedByItself && isNearlyFull(job, worker)) {
    return degrade(job, { error: errnoError('ENOSPC'), waited: state.waited, execution });
  }
  if (endedByItself && embeds(job.session.host, execution, worker)) {
    return repeatInCallerSetting(job, { execution, notStored: 'embeds-path' }, state);
  }
  if (endedByItself && madeIrregular(job, execution)) {
    return repeatInCallerSetting(job, { execution, notStored: 'irregular-output' }, state);
  }
  const remembered = await rememberFailure(job, done);
  const about = remembered === null ? {} : { fingerprint: remembered };
  const product = await resultOf(job, execution, { outcome: 'failed', reason: state.reason, ...about });
  return { product, waited: state.waited, degraded: false };
}

/** True when the caller has received what the compiler printed already. */
function wasHeard(job: Job, execution: Execution): boolean {
  return execution.run.overflowed && job.options.onOverflow !== undefined;
}

function errnoError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function outcomeOf(reason: MissReason): 'compiled' | 'recompiled' {
  const wasThere =
    isDamage(reason) || reason === 'no-record' || reason === 'newer-format' || reason === 'refresh';
  return wasThere ? 'recompiled' : 'compiled';
}

function isNearlyFull(job: Job, worker: WorkerDirectory): boolean {
  try {
    return job.session.host.files.space(worker.path).freeBytes < NEARLY_FULL_BYTES;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/** From now on this command runs in the caller's setting at once. */
function rememberEmbedding(job: Job): void {
  const { session, home, plan, description } = job;
  const { host } = session;
  rememberRequest(host, home.paths, {
    shape: requestShape(host, plan),
    fields: description.fields,
    embedsPath: settingDigest(host, description.fields),
  });
}

/** True for what we cannot copy out of the worker directory: only the compiler itself can make it at its real place. */
function madeIrregular(job: Job, { outputs }: Execution): boolean {
  return (
    job.plan.inWorker &&
    outputs.some(({ stat, isUnseen, isUsable }) => isUnseen || (stat !== null && !isUsable))
  );
}

/** Once more without the worker directory. What was printed already is not printed again. */
async function repeatInCallerSetting(
  job: Job,
  done: { readonly execution: Execution; readonly notStored: Uncacheable },
  state: { readonly waited: boolean; readonly reason: MissReason },
): Promise<Produced> {
  return unstored(job, { ...state, notStored: done.notStored, silent: wasHeard(job, done.execution) });
}

/** A lookup whose result nobody else will see: run as the bare command would, with the declared environment. */
async function unstored(
  job: Job,
  why: {
    readonly reason: MissReason;
    readonly notStored: Uncacheable;
    readonly waited: boolean;
    readonly silent?: boolean;
  },
): Promise<Produced> {
  const product = await runInCallerSetting(job.session, { ...job, silent: why.silent === true });
  const outcome = product.exitCode === 0 ? outcomeOf(why.reason) : 'failed';
  const { reason, notStored, waited } = why;
  return { product: { ...product, outcome, reason, notStored }, waited, degraded: false };
}
