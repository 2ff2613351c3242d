import type { HomeProblem } from '../store/usable-home.js';
import { CacheError, errnoOf, troubleKind } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { ACTIVE_VARIABLE, isHit, type Degraded, type Uncacheable } from '../model/lifecycle.js';
import { formatDuration } from '../model/units.js';
import { countLookup } from './counting.js';
import { DeliveryError } from './delivery.js';
import { describe, type Description } from './description.js';
import { handOver, type HandedOver } from './handover.js';
import { hit, type Effort, type Looked } from './hit.js';
import type { Job } from './job.js';
import { find, findReadOnly } from './lookup-store.js';
import { makePlan, type Plan } from './plan.js';
import { productOf, stdoutFor, type Produced, type Product } from './product.js';
import { readEmbedsPath, requestShape, settingDigest } from './request-history.js';
import type { CompileOptions, CompileRequest, CompileResult } from './request.js';
import type { CacheSession, Home } from './session.js';
import type { SharedLooks } from './shared-looks.js';

/**
 * Delivers the artifact of a request: from the cache, or by compiling it once. Trouble of the cache never changes what
 * the compiler would have returned.
 * @throws CacheError usage, not-found, not-executable or environment when the compiler was not run.
 */
export async function compile(
  session: CacheSession,
  request: CompileRequest,
  options: CompileOptions,
): Promise<CompileResult> {
  const result = await compilePlan(session, makePlan(session.host, request), {
    ...options,
    effort: 'wait',
  });
  if ('deferred' in result) throw new Error('expected a compilation that waits');
  if (result.failedSecondsAgo !== undefined) {
    const age = formatDuration(result.failedSecondsAgo);
    session.addNote(
      `failure of ${age} ago repeated, the compiler was not run (use --retry-failed to try again)`,
    );
  }
  return result;
}

export interface PlanOptions extends CompileOptions {
  readonly effort: Effort;
  /** What the lookups of a batch share; for those who only look. */
  readonly looks?: SharedLooks;
  /** What a look that could not take anything has found: it is not repeated. */
  readonly looked?: Looked;
}

/** What the effort did not reach; counted nowhere. */
export interface Deferred {
  readonly deferred: true;
  /** Null where the cache is not asked, and where it was not computed. */
  readonly primary: Fingerprint | null;
}

/** {@link compile} for a request that was planned. Deferred only where the effort is less than `wait`. */
export async function compilePlan(
  session: CacheSession,
  plan: Plan,
  options: PlanOptions,
): Promise<CompileResult | Deferred> {
  const startMs = options.startedAtMs ?? session.host.clock.monotonicMs();
  const produced = await obtain(session, plan, options);
  if ('deferred' in produced) return produced;
  return finish(session, plan, { produced, startMs, options, stopped: options.signal?.aborted === true });
}

type Obtained = Produced & { readonly joined: boolean };

/** Trouble of ours in a place that has no answer of its own to it: the compiler runs as if there were no cache. */
async function obtain(session: CacheSession, plan: Plan, options: PlanOptions): Promise<Obtained | Deferred> {
  if (options.noCache) return uncached(session, { plan, options, word: null });
  const { listening, wasHeard } = listenedTo(options);
  try {
    return await obtainCached(session, plan, listening);
  } catch (error) {
    if (error instanceof DeliveryError && options.effort !== 'look') {
      const instead = await runInstead(session, { plan, options, silent: wasHeard() }, error);
      if (instead !== null) return instead;
    }
    const errno = errnoOf(error);
    if (errno === null || error instanceof CacheError) throw error;
    if (options.effort === 'look') return deferred(null);
    const message = `the cache at "${session.root}" cannot be used (${errno})`;
    session.addDegraded({ reason: troubleKind(errno), message });
    const call = { plan, options, word: null, silent: wasHeard() };
    return { ...(await runUncached(session, call)), degraded: true };
  }
}

/** Tells afterwards whether the caller has received what the compiler printed. */
function listenedTo(options: PlanOptions): {
  readonly listening: PlanOptions;
  readonly wasHeard: () => boolean;
} {
  const { onOverflow } = options;
  let heard = false;
  if (onOverflow === undefined) return { listening: options, wasHeard: () => false };
  const listening: PlanOptions = {
    ...options,
    onOverflow: (stream, chunk) => {
      heard = true;
      return onOverflow(stream, chunk);
    },
  };
  return { listening, wasHeard: () => heard };
}

async function obtainCached(
  session: CacheSession,
  plan: Plan,
  options: PlanOptions,
): Promise<Obtained | Deferred> {
  const access = await session.openHome();
  if (!access.ok) return withoutHome(session, { plan, options, problem: access.problem });
  if (plan.uncacheable !== null) return uncacheable(session, { plan, options, ...plan.uncacheable });
  const description = options.looked?.description ?? (await describe(session, plan, options));
  if (description.uncacheable !== null) {
    return uncacheable(session, { plan, options, ...description.uncacheable });
  }
  // Who compiles it asks; who only looks takes what is there, which is nothing where results are not kept.
  if (options.effort !== 'look' && isEmbedding(session, access.home, { plan, description })) {
    const detail = 'its result told where it was made, or it left files in its HOME or TMPDIR';
    return uncacheable(session, { plan, options, word: 'embeds-path', detail });
  }
  if (isActive(plan, description)) return uncached(session, { plan, options, word: null });
  return inFlight(session, { home: access.home, plan, description, options });
}

function deferred(primary: Fingerprint | null): Deferred {
  return { deferred: true, primary };
}

/** A home that may be read and not written still gives what it has; any other is left alone. */
async function withoutHome(
  session: CacheSession,
  call: { readonly plan: Plan; readonly options: PlanOptions; readonly problem: HomeProblem },
): Promise<Obtained | Deferred> {
  const { plan, options, problem } = call;
  const isReadable =
    READABLE.has(problem.reason) || (session.signing !== null && UNTRUSTED.has(problem.reason));
  if (isReadable && plan.uncacheable === null && !options.refresh) {
    const product = await findQuietly(session, plan, options);
    if (product !== null) return { product, waited: false, degraded: false, joined: false };
  }
  if (options.effort === 'look') return deferred(null);
  session.addDegraded(problem);
  return { ...(await runUncached(session, { plan, options, word: null })), degraded: true };
}

async function findQuietly(
  session: CacheSession,
  plan: Plan,
  options: CompileOptions,
): Promise<Product | null> {
  const description = await describe(session, plan);
  try {
    const found = await findReadOnly(session, { plan, description });
    if (found.hit) return productOf(found);
    const { failureInForce, repeatFailure } = await import('./failure-memory.js');
    const known = failureInForce(
      session,
      { plan, options, askedAtMs: session.host.clock.nowMs() },
      found.failures,
    );
    return known === null ? null : repeatFailure(session, plan, known);
  } catch (error) {
    // A root that cannot even be read.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** Problems of space and permission, as opposed to those of trust and format. */
const READABLE: ReadonlySet<Degraded> = new Set<Degraded>(['home-unwritable', 'no-space', 'io-error']);
/** Problems of trust that a MAC solves for who reads; who compiled there could have his outputs exchanged under him. */
const UNTRUSTED: ReadonlySet<Degraded> = new Set<Degraded>(['home-owner', 'home-mode']);

/** Requests inside one process join the running job. A refresh asks for a compilation of its own. */
async function inFlight(
  session: CacheSession,
  job: {
    readonly home: Home;
    readonly plan: Plan;
    readonly description: Description;
    readonly options: PlanOptions;
  },
): Promise<Obtained | Deferred> {
  const { plan, description, options } = job;
  const key = flightOf(plan, description, options);
  if (options.effort !== 'wait' && session.flights.isRunning(key)) return deferred(description.primary);
  const flight = await session.flights.run(key, async () => takeOrProduce({ session, ...job }, options));
  // Whoever is joined may have left without waiting; this caller decides for itself.
  if (flight.value === 'deferred')
    return flight.joined ? inFlight(session, job) : deferred(description.primary);
  const { product } = flight.value;
  // The one who compiled was asked to stop, and this caller was not.
  if (flight.joined && product.stopped && options.signal?.aborted !== true) return inFlight(session, job);
  // Outputs that lie at the places of the other request only, or words that only the other caller has heard.
  if (flight.joined && (product.outputs === null || product.streamed)) {
    return uncached(session, { plan, options, word: null });
  }
  return { ...flight.value, joined: flight.joined };
}

/** What tells one running job from another. */
export function flightOf(plan: Plan, description: Description, options: CompileOptions): string {
  const { refresh, timeoutMs, memoryBytes, failureMemory, retryFailed } = options;
  const limits = [refresh, timeoutMs, memoryBytes, failureMemory, retryFailed];
  return JSON.stringify([description.primary, plan.request.cwd, ...limits]);
}

/** Looks up, and ends with a hit. For all else it loads what compiles, which is several times as much. */
async function takeOrProduce(
  job: Job,
  { effort, looks, looked }: Pick<PlanOptions, 'effort' | 'looks' | 'looked'>,
): Promise<Produced | 'deferred'> {
  const { session, home, plan, description, options } = job;
  const atMs = timeOfRequest(session, options);
  const shared = looks === undefined ? {} : { looks };
  const looksNow = effort !== 'try' && !options.refresh;
  const first = looksNow
    ? (looked?.first ?? (await find(session, home, { plan, description, ...shared })))
    : null;
  if (first?.hit === true) {
    options.onFound?.();
    return hit(job, first, false);
  }
  const { produce } = await import('./production.js');
  return produce(job, effort, { first, atMs });
}

/** When a request was made, from the monotonic time of its start. */
function timeOfRequest({ host }: CacheSession, { startedAtMs }: Pick<CompileOptions, 'startedAtMs'>): number {
  const nowMs = host.clock.nowMs();
  return startedAtMs === undefined ? nowMs : nowMs - Math.trunc(host.clock.monotonicMs() - startedAtMs);
}

interface UncachedCall {
  readonly plan: Plan;
  readonly options: PlanOptions;
  readonly word: Uncacheable | null;
  /** Nothing is printed: the caller has heard it already. */
  readonly silent?: boolean;
}

/** Runs the compiler as if there were no cache; who only looks is not answered here. */
async function uncached(session: CacheSession, call: UncachedCall): Promise<Obtained | Deferred> {
  return call.options.effort === 'look' ? deferred(null) : runUncached(session, call);
}

async function runUncached(session: CacheSession, call: UncachedCall): Promise<Obtained> {
  const { runInCallerSetting } = await import('./uncached.js');
  const product = await runInCallerSetting(session, call);
  return { product: { ...product, notStored: call.word }, waited: false, degraded: false, joined: false };
}

/** {@link Obtained} from the compiler, where we could not deliver; null where it may not run. */
async function runInstead(
  session: CacheSession,
  call: { readonly plan: Plan; readonly options: PlanOptions; readonly silent: boolean },
  error: DeliveryError,
): Promise<Obtained | null> {
  const { runInsteadOfDelivery } = await import('./uncached.js');
  const product = await runInsteadOfDelivery(session, call, error);
  return product === null ? null : { product, waited: false, degraded: false, joined: false };
}

async function uncacheable(
  session: CacheSession,
  call: UncachedCall & { readonly word: Uncacheable; readonly detail: string },
): Promise<Obtained | Deferred> {
  if (call.options.effort === 'look') return deferred(null);
  session.tally.add(`uncacheable:${call.word}`);
  session.addNote(`not cached (${call.word}): ${call.detail}`);
  return runUncached(session, call);
}

function isEmbedding(
  session: CacheSession,
  home: Home,
  request: { readonly plan: Plan; readonly description: Description },
): boolean {
  const { host } = session;
  const embedding = readEmbedsPath(host, home.paths, requestShape(host, request.plan));
  return embedding !== null && embedding === settingDigest(host, request.description.fields);
}

/** True inside a compilation of this very fingerprint: a compiler that calls us does not wait for itself. */
export function isActive(plan: Plan, description: Description): boolean {
  const active = plan.request.environment[ACTIVE_VARIABLE];
  if (active === undefined) return false;
  return active.split(':').some((mark) => mark.startsWith(`${description.primary}/`));
}

async function finish(
  session: CacheSession,
  plan: Plan,
  obtained: {
    readonly produced: Obtained;
    readonly startMs: number;
    readonly stopped: boolean;
    readonly options: PlanOptions;
  },
): Promise<CompileResult | Deferred> {
  const { produced, startMs, stopped, options } = obtained;
  const product = produced.joined ? joinedProduct(produced.product) : produced.product;
  const delivery = await handOver(session, { plan, options }, product);
  if (delivery.error !== null) {
    if (options.effort === 'look') return deferred(null);
    const instead = await runInstead(session, { plan, options, silent: product.streamed }, delivery.error);
    if (instead !== null) {
      if (!stopped) countLookup(session, { product, waited: produced.waited, savedSeconds: null });
      return finish(session, plan, { ...obtained, produced: instead });
    }
    // The compiler was not run: its status is not known.
    if (product.outcome !== null && isHit(product.outcome)) throw delivery.error;
  }
  return resultOf(session, plan, { produced, product, delivery, startMs, stopped });
}

/** Counts a request that has ended, and tells what it came to. */
export function resultOf(
  session: CacheSession,
  plan: Pick<Plan, 'outputs'>,
  ended: {
    readonly produced: Produced;
    /** As this caller gets it. */
    readonly product: Product;
    readonly delivery: HandedOver;
    readonly startMs: number;
    readonly stopped: boolean;
  },
): CompileResult {
  const { produced, product, delivery, startMs, stopped } = ended;
  const wallSeconds = (session.host.clock.monotonicMs() - startMs) / 1000;
  const isSaving = product.outcome !== null && isHit(product.outcome) && product.exitCode === 0;
  const savedSeconds = isSaving ? Math.max(0, product.compileSeconds - wallSeconds) : null;
  if (!stopped) countLookup(session, { product, waited: produced.waited, savedSeconds });
  const result: CompileResult = {
    fingerprint: product.fingerprint,
    outcome: product.outcome,
    reason: product.reason,
    notStored: product.notStored,
    outputs: delivery.outputs,
    exitCode: delivery.error === null ? product.exitCode : product.exitCode || 1,
    stdout: stdoutFor(plan, product),
    stderr: product.stderr,
    wallSeconds,
    savedSeconds,
    error: delivery.error?.message ?? null,
  };
  const { failedSecondsAgo } = product;
  return failedSecondsAgo === undefined ? result : { ...result, failedSecondsAgo };
}

/** Who joined a job that succeeded has a hit; who joined one that failed has failed, too. */
function joinedProduct(product: Product): Product {
  const { outcome } = product;
  if (outcome === null || outcome === 'failed' || outcome === 'remembered-failure') return product;
  return { ...product, outcome: 'joined', reason: null, notStored: null };
}
