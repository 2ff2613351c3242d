import { lstatOrNull } from '../host/files.js';
import { isSignal } from '../host/processes.js';
import {
  classify,
  isInForce,
  nextFailure,
  wasKilled,
  type Classified,
  type Failure,
} from '../model/failure.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { WorkerDirectory } from '../store/worker-directory.js';
import { holdComplete } from './complete-lock.js';
import { rememberSet, type DependencySet } from './dependency-sets.js';
import { compilerUnchanged, discover, inputsUnchanged } from './discovery.js';
import { embeds, leftovers, type Execution } from './execution.js';
import type { Job } from './job.js';
import { completeFingerprint, type KnownFailure } from './lookup-store.js';
import { discovers, type Plan } from './plan.js';
import { lineOf } from './planned-command.js';
import type { Product } from './product.js';
import { provenanceOf } from './provenance.js';
import type { CompileOptions } from './request.js';
import { exitCodeOf, type RunResult } from './runner.js';
import type { CacheSession } from './session.js';
import { storeFailure } from './store-artifact.js';

/** A request as far as it decides which failure answers it. */
export interface FailureRequest {
  readonly plan: Plan;
  readonly options: Pick<
    CompileOptions,
    'failureMemory' | 'retryFailed' | 'refresh' | 'timeoutMs' | 'memoryBytes'
  >;
  /** When the caller asked, in milliseconds since 1970. */
  readonly askedAtMs: number;
}

/** The known failure that answers a request instead of a run of the compiler; null when none is in force. */
export function failureInForce(
  session: CacheSession,
  request: FailureRequest,
  known: readonly KnownFailure[],
): KnownFailure | null {
  const { plan, options } = request;
  if (known.length === 0 || !options.failureMemory || options.refresh || mayLoseOutputs(session, plan))
    return null;
  const nowMs = session.host.clock.nowMs();
  return (
    known.find(
      ({ record: { failure } }) => isInForce(failure, nowMs, options) && !isRefused(failure, request),
    ) ?? null
  );
}

/** `--retry-failed` asks for a new attempt; one that somebody else has made meanwhile is new enough. */
function isRefused({ lastAtMs }: Failure, { options, askedAtMs }: FailureRequest): boolean {
  return options.retryFailed && lastAtMs <= askedAtMs;
}

/** The run would remove old outputs at their real places, which no repetition of its words does. */
function mayLoseOutputs({ host }: CacheSession, plan: Plan): boolean {
  const { preset, inWorker, outputs } = plan;
  if (inWorker || preset?.keepsOldOutputs(lineOf(plan)) === true) return false;
  return outputs.some(({ path }) => lstatOrNull(host.files, path) !== null);
}

/** A remembered failure as a product: status and streams of the run that has failed. */
export function repeatFailure(
  session: CacheSession,
  plan: Plan,
  { record, fingerprint }: KnownFailure,
): Product {
  const failedSecondsAgo = (session.host.clock.nowMs() - record.failure.lastAtMs) / 1000;
  return {
    fingerprint,
    outcome: 'remembered-failure',
    reason: 'remembered-failure',
    notStored: null,
    exitCode: exitCodeOfFailure(record.failure),
    stdout: record.stdout,
    stderr: record.stderr,
    streamed: false,
    stopped: false,
    failedSecondsAgo,
    compileSeconds: record.cost.wallSeconds,
    outputs: plan.outputs.map(() => null),
  };
}

function exitCodeOfFailure({ status, signal, limit }: Failure): number {
  if (limit !== null) return exitCodeOf(limit.kind);
  // A home may come from another platform.
  const ended = signal !== null && isSignal(signal) ? signal : 'SIGKILL';
  return status ?? exitCodeOf({ status: null, signal: ended });
}

/** Whether a run is worth remembering, as far as its end and its words tell. */
export function isMemorable(job: Job, run: RunResult): boolean {
  return typeof judge(job, run) === 'string';
}

function judge(job: Job, run: RunResult): Classified {
  const { plan, description, options } = job;
  const { preset } = plan;
  // Who is not known may fail for reasons that nobody has hashed.
  const isKnown = preset !== null && description.identity.uncovered === null;
  if (!options.failureMemory || !isKnown || run.lingering) return { notRemembered: 'doubtful' };
  if (options.signal?.aborted === true) return { notRemembered: 'stopped' };
  if (!speaksEnglish(lineOf(plan).environment)) return { notRemembered: 'doubtful' };
  return classify({ ...run, transientWords: preset.transientWords });
}

/** The words that tell failures apart are English; `--env` may choose another language. */
function speaksEnglish(environment: Readonly<Record<string, string>>): boolean {
  const value = (name: string): string => environment[name] ?? '';
  const locale = [value('LC_ALL'), value('LC_MESSAGES'), value('LANG')].find((text) => text !== '') ?? 'C';
  return [locale, ...value('LANGUAGE').split(':')].every((text) =>
    /^(?:$|(?:C|POSIX|en)(?:$|[_.@-]))/.test(text),
  );
}

/**
 * Remembers a failed run, if everything that it depends on is known, so that a request with the same sources gets the
 * same words at once. Best effort: a failure that cannot be written costs another run. The caller holds the lock of the
 * primary fingerprint. @returns the complete fingerprint; null when the failure is not remembered.
 */
export async function rememberFailure(
  job: Job,
  done: { readonly execution: Execution; readonly worker: WorkerDirectory },
): Promise<Fingerprint | null> {
  const { execution, worker } = done;
  const { session, plan, description } = job;
  const judged = judge(job, execution.run);
  if (typeof judged !== 'string' || hasEffect(job, done)) return null;
  const discovered = discover(job, execution, worker);
  if (!discovered.ok || !inputsUnchanged(job) || !(await compilerUnchanged(job))) return null;
  // Asked last: whoever has written here since is noticed.
  if (job.claim?.isContested() === true) return null;
  const { set } = discovered;
  const complete = completeFingerprint(session, description, set);
  const write = (): boolean => writeFailure(job, { ...done, kind: judged, complete, set });
  try {
    const held = await holdComplete(job, complete, write);
    const isWritten = held.held && held.value;
    if (isWritten && discovers(plan)) rememberSet(session.host, job.home.paths, description.primary, set);
    return isWritten ? complete : null;
  } catch (error) {
    storeFailure(session, { what: 'a failure', fingerprint: complete, error });
    return null;
  }
}

/** True for a run that left more than words behind: no repetition could do that. */
function hasEffect(
  job: Job,
  { execution, worker }: { readonly execution: Execution; readonly worker: WorkerDirectory },
): boolean {
  const { host } = job.session;
  if (execution.outputs.some(({ stat }) => stat !== null)) return true;
  // Who was killed could not remove its temporary files.
  if (!wasKilled(execution.run.end) && leftovers(host, execution, worker)) return true;
  return embeds(host, execution, worker);
}

interface Remembered {
  readonly execution: Execution;
  readonly worker: WorkerDirectory;
  readonly kind: Failure['kind'];
  readonly complete: Fingerprint;
  readonly set: DependencySet;
}

function writeFailure(job: Job, remembered: Remembered): boolean {
  const { home, options, session } = job;
  const { execution, worker, kind, complete, set } = remembered;
  const { end } = execution.run;
  if (end === 'stopped') return false;
  const nowMs = session.host.clock.nowMs();
  const previous = home.disk.readFailure(complete)?.failure ?? null;
  const failure = nextFailure(previous, { kind, end, limits: options, nowMs });
  const createdAtMs = Math.max(0, failure.lastAtMs);
  const record = { ...provenanceOf(job, { execution, complete, set, createdAtMs }), failure };
  return home.disk.recordFailure(record, worker.path);
}
