import { describe } from './description.js';
import { handOver } from './handover.js';
import { findReadOnly } from './lookup-store.js';
import { makePlan } from './plan.js';
import { productOf } from './product.js';
import type { CompileOptions, CompileRequest, LookupResult } from './request.js';
import type { CacheSession } from './session.js';
import { countHit, missed, openStore } from './stored-entry.js';

/**
 * A `compile` that never compiles: a hit is delivered to the places of the request. Works on homes that may only be
 * read.
 * @throws CacheError like `compile`.
 */
export async function lookup(
  session: CacheSession,
  request: CompileRequest,
  options: Pick<CompileOptions, 'failureMemory'>,
): Promise<LookupResult> {
  const { host } = session;
  const plan = makePlan(host, request);
  const description = await describe(session, plan);
  const disk = openStore(session);
  const found = await findReadOnly(session, { plan, description });
  if (!found.hit) {
    const asked = { plan, options: { ...ASKING, ...options }, askedAtMs: host.clock.nowMs() };
    const { failureInForce } = await import('./failure-memory.js');
    if (failureInForce(session, asked, found.failures) !== null)
      return missed(session, 'remembered-failure', found.fingerprint);
    const { missReason } = await import('./miss-reason.js');
    const reason = missReason(session, { paths: session.paths, disk }, { plan, description, miss: found });
    return missed(session, reason, found.fingerprint);
  }
  const { error } = await handOver(session, { plan, options: {} }, productOf(found));
  if (error !== null) throw error;
  countHit(session, disk, found.fingerprint);
  const { record, artifact, fingerprint, tier } = found;
  const stdout = request.stdoutFile === null ? record.stdout : new Uint8Array(0);
  return { hit: true, fingerprint, tier, payload: artifact.payload, stdout, stderr: record.stderr };
}

/** Who only asks sets no limit: a failure that a limit has caused says nothing. */
const ASKING = {
  refresh: false,
  retryFailed: false,
  timeoutMs: null,
  memoryBytes: null,
};
