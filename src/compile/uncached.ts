import { statOrNull } from '../host/files.js';
import type { DeliveryError } from './delivery.js';
import { execute, type ExecutionRequest } from './execution.js';
import { memoisedBy } from './identity.js';
import { claimingOutputs, type Claim } from './output-claims.js';
import type { Plan } from './plan.js';
import { lineOf } from './planned-command.js';
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

/**
 * Where an output could not be put into its place, the compiler puts it there, or says why it cannot, as it would without
 * us. Null where it may not run: the caller has stopped, or an output is a pipe or a device, which has taken a part of it.
 */
export async function runInsteadOfDelivery(
  session: CacheSession,
  job: CallerJob,
  error: DeliveryError,
): Promise<Product | null> {
  const { files } = session.host;
  const isStream = job.plan.outputs.some(({ path }) => statOrNull(files, path)?.type === 'other');
  if (isStream || job.options.signal?.aborted === true) return null;
  session.addNote(`${error.message}; the compiler runs and writes it itself`);
  return runInCallerSetting(session, job);
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
    memoised: memoisedBy(session, lineOf(plan)),
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
