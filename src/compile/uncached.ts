import { execute, type ExecutionRequest } from './execution.js';
import { withOutputsHeld } from './output-locks.js';
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
  readonly holdsOutputs?: boolean;
}

/**
 * Runs the compiler with the declared environment, outputs at their real places, and the caller's HOME and TMPDIR.
 * Nothing of the cache is touched.
 */
export async function runInCallerSetting(session: CacheSession, job: CallerJob): Promise<Product> {
  if (job.holdsOutputs === true) return runHeld(session, job);
  return withOutputsHeld(session, job, async () => runHeld(session, job));
}

async function runHeld(session: CacheSession, job: CallerJob): Promise<Product> {
  const { plan, options } = job;
  const onOverflow: ExecutionRequest['onOverflow'] =
    job.silent === true ? () => undefined : (options.onOverflow ?? null);
  const execution = await execute(session.host, {
    plan,
    options,
    setting: { mode: 'caller' },
    onOverflow,
    memoised: session.memoised(plan.line),
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
