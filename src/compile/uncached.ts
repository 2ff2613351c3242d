import { execute, type ExecutionRequest } from './execution.js';
import { memoisedBy } from './identity.js';
import { claimingOutputs, type Claim } from './output-claims.js';
import type { Plan } from './plan.js';
import type { Product } from './product.js';
import type { CompileOptions } from './request.js';
import { exitCodeOf } from './runner.js';
import type { CacheSession } from './session.js';

export interface CallerJob {
  readonly plan: Plan;
  readonly options: CompileOptions;
  /** Nothing is printed: the caller has heard it already. */
  readonly silent?: boolean;
  /** Set where the outputs are claimed already. */
  readonly claim?: Claim;
}

/**
 * Runs the compiler with the declared environment, outputs at their real places, and the caller's HOME and TMPDIR.
 * Nothing of the cache is touched.
 */
export async function runInCallerSetting(session: CacheSession, job: CallerJob): Promise<Product> {
  if (job.claim !== undefined) return runClaimed(session, job);
  return claimingOutputs(session, job.plan, async () => runClaimed(session, job));
}

async function runClaimed(session: CacheSession, job: CallerJob): Promise<Product> {
  const { plan, options } = job;
  const onOverflow: ExecutionRequest['onOverflow'] =
    job.silent === true ? () => undefined : (options.onOverflow ?? null);
  const execution = await execute(session.host, {
    plan,
    options,
    setting: { mode: 'caller' },
    onOverflow,
    memoised: memoisedBy(session, plan.line),
  });
  const streams = job.silent === true ? { stdout: EMPTY, stderr: EMPTY } : execution.run;
  return {
    fingerprint: null,
    outcome: null,
    reason: null,
    notStored: null,
    exitCode: exitCodeOf(execution.run.end),
    stdout: streams.stdout,
    stderr: streams.stderr,
    streamed: execution.run.overflowed && onOverflow !== null,
    stopped: execution.run.end === 'stopped',
    compileSeconds: execution.run.wallSeconds,
    outputs: null,
  };
}

const EMPTY = Buffer.alloc(0);
