/** PVF: PREPARE_FAILURE_COOLDOWN. */
const RETRY_AFTER_MS = 900_000;
/** PVF: NUM_PREPARE_RETRIES, so six attempts in all. */
const MAX_RETRIES = 5;
/** How long a transient failure is held once all its attempts are used up, and how long its count is kept. */
const TRANSIENT_HOLD_MS = 604_800_000;
/** How long a deterministic failure is held: what it depends on is hashed, so a day costs nothing but a doubt. */
const DETERMINISTIC_HOLD_MS = 86_400_000;
/** A failure this far in the future was written by a clock that was wrong. */
const FUTURE_MS = 86_400_000;

export type FailureKind = 'deterministic' | 'transient';

/** The limit that ended a compilation. */
export interface FailureLimit {
  readonly kind: 'timeout' | 'memory';
  /** Milliseconds or bytes. */
  readonly value: number;
}

/** How often and how a compilation has failed. Exactly one of status, signal and limit is not null. */
export interface Failure {
  readonly kind: FailureKind;
  /** Failed attempts so far, at least 1. */
  readonly count: number;
  readonly lastAtMs: number;
  /** 1 to 255. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly limit: FailureLimit | null;
}

/** The limits of a request; null: none. */
export interface Limits {
  readonly timeoutMs: number | null;
  readonly memoryBytes: number | null;
}

/** How a compiler ended. */
export type CompilerEnd =
  | { readonly status: number | null; readonly signal: string | null }
  | 'timeout'
  | 'memory'
  | 'stopped';

/** Why a failure is not remembered. */
export type NotRemembered = 'stopped' | 'not-started' | 'output-too-large' | 'doubtful';

export type Classified = FailureKind | { readonly notRemembered: NotRemembered };

export interface Failed {
  readonly end: CompilerEnd;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** True when the streams were not captured whole. */
  readonly overflowed: boolean;
  /** What a transient failure of this compiler says, besides {@link TRANSIENT_WORDS}. */
  readonly transientWords: readonly string[];
}

/** What says that the machine failed, not the source. */
const TRANSIENT_WORDS: readonly string[] = [
  'Killed',
  'terminated by signal',
  'No space left',
  'Cannot allocate',
  'out of memory',
  'memory exhausted',
  'Input/output error',
  // Further ends by a signal, limits and failed system calls, in the words of the C library.
  'Segmentation fault',
  'Bus error',
  'Resource temporarily unavailable',
  'Too many open files',
  'Disk quota exceeded',
  'File too large',
  'Read-only file system',
  'Stale file handle',
];

/** What may be otherwise a moment later without a change of anything that is hashed. */
const DOUBTFUL_WORDS: readonly string[] = ['No such file', 'not found', 'Permission denied', 'connect'];

const STATUS_NOT_EXECUTABLE = 126;
const STATUS_NOT_FOUND = 127;
/** A shell, and with it nvcc, reports the signal that ended a child as 128 and its number. */
const FIRST_SIGNAL_STATUS = 129;
const LAST_SIGNAL_STATUS = 192;

/**
 * What a failure says about the next attempt (PVF: a preparation error is deterministic, a worker that died, a limit or
 * an I/O error is not). In doubt a failure is transient or not remembered: running the compiler once more is always safe.
 */
export function classify(failed: Failed): Classified {
  const { end } = failed;
  if (end === 'stopped') return { notRemembered: 'stopped' };
  const status = typeof end === 'object' ? end.status : null;
  if (status === STATUS_NOT_EXECUTABLE || status === STATUS_NOT_FOUND)
    return { notRemembered: 'not-started' };
  if (failed.overflowed) return { notRemembered: 'output-too-large' };
  // One after the other, and nothing in between is a word.
  const said = [failed.stdout, failed.stderr]
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
    .join('\n');
  if (saysAny(said, DOUBTFUL_WORDS)) return { notRemembered: 'doubtful' };
  const isTransient =
    wasKilled(end) || saysAny(said, TRANSIENT_WORDS) || saysAny(said, failed.transientWords);
  return isTransient ? 'transient' : 'deterministic';
}

/** True for an end by a signal or a limit, of the compiler itself or of a program that it waited for. */
export function wasKilled(end: CompilerEnd): boolean {
  if (typeof end !== 'object' || end.status === null) return true;
  return end.status >= FIRST_SIGNAL_STATUS && end.status <= LAST_SIGNAL_STATUS;
}

function saysAny(said: string, words: readonly string[]): boolean {
  const lower = said.toLowerCase();
  return words.some((word) => lower.includes(word.toLowerCase()));
}

/**
 * True while a request with these limits gets the failure instead of a run of the compiler. At exactly the boundary
 * the compiler runs (PVF: now >= last failure + cool-down). A failure in the future holds for nobody.
 */
export function isInForce(failure: Failure, nowMs: number, limits: Limits): boolean {
  if (failure.lastAtMs > nowMs || !holdsFor(failure, limits)) return false;
  return nowMs < failure.lastAtMs + heldMs(failure);
}

function heldMs({ kind, count }: Failure): number {
  if (kind === 'deterministic') return DETERMINISTIC_HOLD_MS;
  return count > MAX_RETRIES ? TRANSIENT_HOLD_MS : RETRY_AFTER_MS;
}

/** A compilation that a limit has ended may succeed with a larger one. */
function holdsFor({ limit }: Failure, limits: Limits): boolean {
  if (limit === null) return true;
  const now = limit.kind === 'timeout' ? limits.timeoutMs : limits.memoryBytes;
  return now !== null && now <= limit.value;
}

/** True when a failure says nothing any more, whatever the limits of a request. */
export function isExpiredFailure(failure: Failure, nowMs: number): boolean {
  const keptMs = failure.kind === 'deterministic' ? DETERMINISTIC_HOLD_MS : TRANSIENT_HOLD_MS;
  return nowMs >= failure.lastAtMs + keptMs || failure.lastAtMs > nowMs + FUTURE_MS;
}

/**
 * The failure that an attempt has added to what was known. The count starts again where the one before no longer
 * says anything about this attempt: another kind, expired, from the future, or ended by a smaller limit.
 */
export function nextFailure(
  previous: Failure | null,
  attempt: {
    readonly kind: FailureKind;
    readonly end: Exclude<CompilerEnd, 'stopped'>;
    readonly limits: Limits;
    readonly nowMs: number;
  },
): Failure {
  const { kind, end, limits, nowMs } = attempt;
  const continues =
    previous !== null &&
    previous.kind === kind &&
    previous.lastAtMs <= nowMs &&
    !isExpiredFailure(previous, nowMs) &&
    holdsFor(previous, limits);
  const known = continues ? Math.min(previous.count, Number.MAX_SAFE_INTEGER - 1) : 0;
  const exit = typeof end === 'object' ? end : null;
  return {
    kind,
    count: known + 1,
    lastAtMs: nowMs,
    status: exit === null || exit.signal !== null ? null : exit.status,
    signal: exit?.signal ?? null,
    limit: limitOf(end, limits),
  };
}

/** A limit that ended a compilation was set; without its value it would hold for nobody. */
function limitOf(end: CompilerEnd, { timeoutMs, memoryBytes }: Limits): FailureLimit | null {
  if (end === 'timeout') return { kind: 'timeout', value: Math.ceil(timeoutMs ?? 0) };
  return end === 'memory' ? { kind: 'memory', value: Math.ceil(memoryBytes ?? 0) } : null;
}
