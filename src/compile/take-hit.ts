import { CacheError, errnoOf } from '../model/error.js';
import { flightOf, isActive, resultOf } from './compile.js';
import { describeAs } from './description.js';
import { handOverNow } from './handover.js';
import { hit, type Looked } from './hit.js';
import type { Identity } from './identity.js';
import { findNow, type Found } from './lookup-store.js';
import type { Plan } from './plan.js';
import type { CompileOptions, CompileResult } from './request.js';
import type { CacheSession, Home } from './session.js';
import type { SharedLooks } from './shared-looks.js';

/** What a lookup at once came to: `null` for what has to be waited for, or is no plain hit or miss. */
type Taken = { readonly result: CompileResult; readonly found: Found } | { readonly looked: Looked } | null;

/** A job that may be answered by what is stored. */
interface AskedJob {
  readonly home: Home;
  readonly plan: Plan;
  readonly identity: Identity;
  readonly options: CompileOptions;
}

/** False where the cache is not asked. */
export function isAsked({ uncacheable }: Plan, { noCache, refresh }: CompileOptions): boolean {
  return !noCache && !refresh && uncacheable === null;
}

/**
 * Looks a job of a batch up and delivers what is found without waiting for anything: a promise for each step of a hit
 * would cost as much as its system calls. What is found is what `compilePlan` would find, which goes on with all else.
 */
export function takeHit(session: CacheSession, job: AskedJob, looks: SharedLooks): Taken {
  try {
    return take(session, job, looks);
  } catch (error) {
    // Whatever is in the way is told by who goes the whole way.
    if (error instanceof CacheError || errnoOf(error) !== null) return null;
    throw error;
  }
}

function take(session: CacheSession, job: AskedJob, looks: SharedLooks): Taken {
  const { home, plan, identity, options } = job;
  const startMs = options.startedAtMs ?? session.host.clock.monotonicMs();
  const description = describeAs(session, plan, identity);
  if (description.uncacheable !== null || isActive(plan, description)) return null;
  const { flights } = session;
  if (!flights.isIdle && flights.isRunning(flightOf(plan, description, options))) return null;
  const found = findNow(session, home, { plan, description, looks });
  if (found === null) return null;
  if (!found.hit) return { looked: { description, first: found } };
  options.onFound?.();
  const produced = hit({ session, home, plan, description, options }, found, false);
  const { product } = produced;
  const outputs = handOverNow(session, plan, product);
  if (outputs === null) return null;
  const delivery = { outputs, error: null };
  const ended = { produced, product, delivery, startMs, stopped: false };
  return { result: resultOf(session, plan, ended), found };
}
