import { isAbsolute } from 'node:path';
import { compile } from './compile/compile.js';
import { fingerprintOfRequest } from './compile/fingerprint-request.js';
import { getEntry } from './compile/stored-entry.js';
import type {
  CompileOptions,
  CompileRequest,
  CompileResult,
  DeliveredOutput,
  FingerprintResult,
  LookupResult,
  Trouble,
  Waiting,
} from './compile/request.js';
import { put, type PutDetails, type PutResult } from './compile/put.js';
import { openSession, type CacheSession } from './compile/session.js';
import { systemHost, type Host } from './host/host.js';
import { care } from './maintenance/care.js';
import { flush } from './maintenance/flush.js';
import { prune } from './maintenance/prune.js';
import type { FlushReport, PruneReport, StatsReport, VerifyReport } from './maintenance/reports.js';
import { collectStats } from './maintenance/stats.js';
import { sweep } from './maintenance/sweep.js';
import { verify } from './maintenance/verify.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from './model/entry.js';
import { CacheError } from './model/error.js';
import type { RetentionRules as PruneRules } from './model/retention.js';
import { isFingerprint, type Fingerprint } from './model/fingerprint.js';
import type { ShownField } from './model/fields.js';
import type { Degraded, MissReason, Outcome, Uncacheable } from './model/lifecycle.js';
import type { Share } from './model/share.js';
import { DEFAULT_LOCK_TIMEOUT_MS } from './store/lock-file.js';
import { resolveRoot } from './store/root-path.js';
import { loadSigning } from './store/key-files.js';

export { CacheError };
export type {
  CompileOptions,
  CompileRequest,
  CompileResult,
  Degraded,
  DeliveredOutput,
  Fingerprint,
  FingerprintResult,
  FlushReport,
  Host,
  LookupResult,
  MissReason,
  Outcome,
  PruneReport,
  PruneRules,
  PutDetails,
  PutResult,
  Share,
  ShownField,
  StatsReport,
  Trouble,
  Uncacheable,
  VerifyReport,
  Waiting,
};

export interface CacheOptions {
  /** Absolute path of the home. It is made when something is compiled into it. */
  readonly root: string;
  /** Where figures go that cannot be kept in the root; absolute. Null: such figures are lost. */
  readonly stateDirectory?: string | null;
  /** In bytes; 64 MiB unless set. vyre reads no larger ones. */
  readonly maxPayloadBytes?: number;
  /** What automatic care keeps the entries below, in bytes, when the cache is closed; no care unless set. */
  readonly careMaxBytes?: number;
  /**
   * Absolute path of the key that signs records: 32 bytes, of the user, mode 600, outside of the root. With one, nothing
   * is served that no accepted key has signed. It is read at once.
   */
  readonly keyFile?: string | null;
  /** Absolute paths of further keys, of which records are accepted. */
  readonly acceptedKeyFiles?: readonly string[];
  /** The outside, for tests. */
  readonly host?: Host;
}

/** A cache of compiled artifacts. Safe to share between the tasks of a process and the processes of a machine. */
export interface Cache {
  /** The verified payload of an entry, or the reason of the miss. @throws CacheError usage unless 64 lowercase hex. */
  get(fingerprint: string): Promise<LookupResult>;
  /**
   * Stores a payload under a fingerprint that the caller computed, as one output. Trouble of the cache is a value.
   * @throws CacheError usage unless 64 lowercase hex.
   */
  put(fingerprint: string, payload: Uint8Array, details?: PutDetails): Promise<PutResult>;
  /** From the cache, or compiled once. @throws CacheError when the compiler was not run. */
  compile(request: CompileRequest, options?: Partial<CompileOptions>): Promise<CompileResult>;
  fingerprint(request: CompileRequest, options?: Partial<CompileOptions>): Promise<FingerprintResult>;
  verify(): Promise<VerifyReport>;
  stats(): Promise<StatsReport>;
  /**
   * Removes valid entries by policy; what is in use stays. A rule that is left out is no rule.
   * @throws CacheError usage without any rule; environment when the root belongs to somebody else.
   */
  prune(rules: Partial<PruneRules>, options?: { readonly dryRun?: boolean }): Promise<PruneReport>;
  /** Makes every entry that was stored so far survive a power cut. Deletes nothing. */
  flush(): Promise<FlushReport>;
  /** What went wrong so far without harm to a result. */
  troubles(): readonly Trouble[];
  /**
   * Waits for what is running and writes the counters. Later calls of `stats` and `troubles` answer, those of all others
   * are mistakes. May be called again.
   */
  close(): Promise<void>;
}

/**
 * Opens a cache. Touches nothing of it until it is used.
 * @throws CacheError usage for a path that is not absolute, for limits that are none, and for a key that is refused.
 */
export function openCache(options: CacheOptions): Cache {
  const session = open(options);
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | null = null;
  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closing !== null) throw new CacheError('usage', 'expected an open cache, got one that was closed');
    const run = work();
    running.add(run);
    try {
      return await run;
    } finally {
      running.delete(run);
    }
  };
  // Locks belong to a descriptor of the session: what holds one ends before the descriptor does.
  const close = async (): Promise<void> => {
    await Promise.allSettled(running);
    await session.close();
  };
  return {
    get: async (fingerprint) => use(async () => getEntry(session, checked(fingerprint))),
    put: async (fingerprint, payload, details) =>
      use(async () => {
        checkAmounts({ lockTimeoutMs: details?.lockTimeoutMs ?? null });
        return put(session, { fingerprint: checked(fingerprint), payload }, details ?? {});
      }),
    compile: async (request, given) => use(async () => compile(session, request, completeOptions(given))),
    fingerprint: async (request, given) =>
      use(async () => fingerprintOfRequest(session, request, completeOptions(given))),
    verify: async () => use(async () => verify(session, { fingerprints: null })),
    stats: async () => collectStats(session),
    prune: async (rules, { dryRun = false } = {}) =>
      use(async () => prune(session, { rules: completeRules(rules), dryRun })),
    flush: async () => use(async () => flush(session)),
    troubles: () => session.troubles,
    close: async () => (closing ??= close()),
  };
}

function open(options: CacheOptions): CacheSession {
  const host = options.host ?? systemHost();
  const {
    root,
    stateDirectory = null,
    maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES,
    careMaxBytes = 0,
    keyFile = null,
    acceptedKeyFiles = [],
  } = options;
  for (const path of [root, stateDirectory ?? '/', keyFile ?? '/', ...acceptedKeyFiles]) {
    if (!isAbsolute(path)) throw new CacheError('usage', `expected an absolute path, got "${path}"`);
  }
  checkAmounts({ maxPayloadBytes, careMaxBytes });
  const resolved = resolveRoot(host, root);
  if (keyFile === null && acceptedKeyFiles.length > 0)
    throw new CacheError('usage', 'expected keyFile beside acceptedKeyFiles, got none');
  return openSession({
    host,
    root: resolved,
    signing: keyFile === null ? null : loadSigning(host, { keyFile, acceptedKeyFiles, root: resolved }),
    stateDirectory,
    maxPayloadBytes,
    sweep,
    care: async (closing) => care(closing, { maxBytes: careMaxBytes, signal: null }),
  });
}

/** What is undefined was left out. */
function completeOptions(given: Partial<CompileOptions> = {}): CompileOptions {
  const { timeoutMs = null, memoryBytes = null, lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS } = given;
  const { refresh = false, noCache = false, failureMemory = true, retryFailed = false } = given;
  checkAmounts({ timeoutMs, memoryBytes, lockTimeoutMs });
  const switches = { refresh, noCache, failureMemory, retryFailed };
  return { ...given, timeoutMs, memoryBytes, lockTimeoutMs, ...switches };
}

/** A limit that compares with nothing, or lies below zero, would remove or keep everything. */
function checkAmounts(amounts: Readonly<Record<string, number | null>>, most = Number.MAX_VALUE): void {
  for (const [name, amount] of Object.entries(amounts)) {
    if (amount === null || (Number.isFinite(amount) && amount >= 0 && amount <= most)) continue;
    const expected = most === Number.MAX_VALUE ? 'a number from 0 on' : `a number from 0 to ${most}`;
    throw new CacheError('usage', `expected ${expected} as ${name}, got "${amount}"`);
  }
}

function checked(fingerprint: string): Fingerprint {
  if (isFingerprint(fingerprint)) return fingerprint;
  throw new CacheError('usage', `expected 64 lowercase hex digits, got "${fingerprint}"`);
}

function completeRules(rules: Partial<PruneRules>): PruneRules {
  const { all = false, ttlMs = null, maxBytes = null, maxEntries = null, minFree = null } = rules;
  const { minAgeMs = null, lowWaterPercent = null } = rules;
  checkAmounts({ ttlMs, maxBytes, maxEntries, minAgeMs });
  checkAmounts({ lowWaterPercent }, 100);
  if (minFree !== null && 'percent' in minFree) checkAmounts({ 'minFree.percent': minFree.percent }, 100);
  if (minFree !== null && 'bytes' in minFree) checkAmounts({ 'minFree.bytes': minFree.bytes });
  const complete = { all, ttlMs, maxBytes, maxEntries, minFree, minAgeMs, lowWaterPercent };
  if (all || [ttlMs, maxBytes, maxEntries, minFree].some((rule) => rule !== null)) return complete;
  throw new CacheError(
    'usage',
    'expected at least one rule of ttlMs, maxBytes, maxEntries, minFree and all, got none',
  );
}
