import type { Files } from '../host/files.js';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';
import { Breath } from '../schedule/breath.js';
import type { BatchShortcut, KnownJob } from './batch-shortcut.js';
import { keepsStdout, resultOf } from './compile.js';
import { handOverNow } from './handover.js';
import { isAsSeen } from './looks.js';
import type { CompileResult } from './request.js';
import type { CacheSession, Home } from './session.js';
import { isPlain, productAt } from './shortcut.js';
import { SHARED_MS } from './shared-looks.js';

/** The jobs of which nothing has changed; none where something has that all of them depend on. */
export function standingJobs(files: Files, { looks, jobs }: BatchShortcut): readonly KnownJob[] {
  if (!isAsSeen(files, looks)) return [];
  return jobs.filter((job) => isStanding(files, job));
}

/** A job all of whose files other jobs name as well has no looks of its own. */
function isStanding(files: Files, { looks }: KnownJob): boolean {
  return looks === '' || isAsSeen(files, looks);
}

/** What taking the jobs of a shortcut needs. */
export interface KnownJobs {
  readonly jobs: readonly KnownJob[];
  /** Of all of them. */
  readonly looks: string;
  readonly signal: AbortSignal;
  onTaken(job: KnownJob, result: CompileResult): void;
}

/**
 * Delivers what the jobs of a shortcut came to, each looked at once more just before. What is not taken goes the long way,
 * which finds out why.
 * @param host as it is, where the session's notes what is looked at.
 */
export async function takeKnownJobs(host: Host, session: CacheSession, known: KnownJobs): Promise<void> {
  const access = await session.openHome();
  if (!access.ok) return;
  const { clock, files } = host;
  const breath = new Breath(clock);
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  for (const job of known.jobs) {
    if (known.signal.aborted) return;
    if (clock.monotonicMs() - checkedAtMs >= SHARED_MS) {
      if (!isAsSeen(files, known.looks)) return;
      checkedAtMs = clock.monotonicMs();
    }
    const result = takeQuietly(host, { session, home: access.home }, job);
    if (result !== null) known.onTaken(job, result);
    if (breath.isDue) await breath.take();
  }
}

interface Opened {
  readonly session: CacheSession;
  readonly home: Home;
}

/** Whatever is in the way is told by who goes the whole way. */
function takeQuietly(host: Host, opened: Opened, job: KnownJob): CompileResult | null {
  try {
    return take(host, opened, job);
  } catch (error) {
    if (error instanceof CacheError || errnoOf(error) !== null) return null;
    throw error;
  }
}

function take(host: Host, { session, home }: Opened, job: KnownJob): CompileResult | null {
  const startMs = host.clock.monotonicMs();
  const { outputs } = job;
  if (!isStanding(host.files, job)) return null;
  const product = productAt(host, home.disk.paths, job, session.maxPayloadBytes);
  if (product === null) return null;
  const claimant = { host, paths: session.paths, openLock: () => session.openLock() };
  const delivered = handOverNow(claimant, { outputs, inWorker: true }, product, (path) =>
    isPlain(host, path),
  );
  if (delivered === null) return null;
  const produced = { product, waited: false, degraded: false };
  const delivery = { outputs: delivered, error: null };
  return resultOf(session, keepsStdout(job), { produced, product, delivery, startMs, stopped: false });
}
