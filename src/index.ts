import { compile } from './compile/compile.js';
import { fingerprintOfRequest } from './compile/fingerprint-request.js';
import { getEntry } from './compile/lookup.js';
import type {
  CompileOptions,
  CompileRequest,
  CompileResult,
  FingerprintResult,
  LookupResult,
  Trouble,
} from './compile/request.js';
import { put, type PutDetails, type PutResult } from './compile/put.js';
import { openSession } from './compile/session.js';
import { systemHost, type Host } from './host/host.js';
import { flush } from './maintenance/flush.js';
import { NO_RULES, prune, type PruneRules } from './maintenance/prune.js';
import type { FlushReport, PruneReport, StatsReport, VerifyReport } from './maintenance/reports.js';
import { collectStats } from './maintenance/stats.js';
import { sweep } from './maintenance/sweep.js';
import { verify } from './maintenance/verify.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from './model/entry.js';
import { CacheError } from './model/error.js';
import { isFingerprint, type Fingerprint } from './model/fingerprint.js';
import { resolveRoot } from './store/home.js';

export { CacheError };
export type {
  CompileOptions,
  CompileRequest,
  CompileResult,
  FingerprintResult,
  FlushReport,
  Host,
  LookupResult,
  PruneReport,
  PruneRules,
  PutDetails,
  PutResult,
  StatsReport,
  Trouble,
  VerifyReport,
};

export interface CacheOptions {
  /** Absolute path of the home. It is made when something is compiled into it. */
  readonly root: string;
  /** Where figures go that cannot be kept in the root; absolute. Null: such figures are lost. */
  readonly stateDirectory?: string | null;
  /** In bytes; 64 MiB unless set. vyre reads no larger ones. */
  readonly maxPayloadBytes?: number;
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
  stats(): StatsReport;
  /**
   * Removes valid entries by policy; what is in use stays. A rule that is left out is no rule.
   * @throws CacheError usage without any rule; environment when the root belongs to somebody else.
   */
  prune(rules: Partial<PruneRules>, options?: { readonly dryRun?: boolean }): Promise<PruneReport>;
  /** Makes every entry that was stored so far survive a power cut. Deletes nothing. */
  flush(): Promise<FlushReport>;
  /** What went wrong so far without harm to a result. */
  troubles(): readonly Trouble[];
  /** Writes the counters. */
  close(): Promise<void>;
}

const DEFAULTS: CompileOptions = {
  timeoutMs: null,
  memoryBytes: null,
  lockTimeoutMs: 600_000,
  refresh: false,
  noCache: false,
  failureMemory: true,
  retryFailed: false,
};

/** Opens a cache. Touches nothing until it is used. */
export function openCache(options: CacheOptions): Cache {
  const host = options.host ?? systemHost();
  const session = openSession({
    host,
    root: resolveRoot(host, options.root),
    stateDirectory: options.stateDirectory ?? null,
    maxPayloadBytes: options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
    sweep,
  });
  return {
    get: async (fingerprint) => getEntry(session, checked(fingerprint)),
    put: async (fingerprint, payload, details) =>
      put(session, { fingerprint: checked(fingerprint), payload }, details ?? {}),
    compile: async (request, given) => compile(session, request, { ...DEFAULTS, ...given }),
    fingerprint: async (request, given) => fingerprintOfRequest(session, request, { ...DEFAULTS, ...given }),
    verify: async () => verify(session, { fingerprints: null }),
    stats: () => collectStats(session),
    prune: async (rules, { dryRun = false } = {}) => prune(session, { rules: completeRules(rules), dryRun }),
    flush: async () => flush(session),
    troubles: () => session.troubles,
    close: async () => session.close(),
  };
}

function checked(fingerprint: string): Fingerprint {
  if (isFingerprint(fingerprint)) return fingerprint;
  throw new CacheError('usage', `expected 64 lowercase hex digits, got "${fingerprint}"`);
}

function completeRules(rules: Partial<PruneRules>): PruneRules {
  const complete = { ...NO_RULES, ...rules };
  const { all, ttlMs, maxBytes, maxEntries, minFree } = complete;
  if (all || [ttlMs, maxBytes, maxEntries, minFree].some((rule) => rule !== null)) return complete;
  throw new CacheError(
    'usage',
    'expected at least one rule of ttlMs, maxBytes, maxEntries, minFree and all, got none',
  );
}
