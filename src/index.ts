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
import { openSession } from './compile/session.js';
import { systemHost, type Host } from './host/host.js';
import type { StatsReport, VerifyReport } from './maintenance/reports.js';
import { collectStats } from './maintenance/stats.js';
import { sweep } from './maintenance/sweep.js';
import { verify } from './maintenance/verify.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from './model/entry.js';
import { CacheError } from './model/error.js';
import { isFingerprint } from './model/fingerprint.js';
import { resolveRoot } from './store/home.js';

export { CacheError };
export type {
  CompileOptions,
  CompileRequest,
  CompileResult,
  FingerprintResult,
  Host,
  LookupResult,
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
  /** From the cache, or compiled once. @throws CacheError when the compiler was not run. */
  compile(request: CompileRequest, options?: Partial<CompileOptions>): Promise<CompileResult>;
  fingerprint(request: CompileRequest, options?: Partial<CompileOptions>): Promise<FingerprintResult>;
  verify(): Promise<VerifyReport>;
  stats(): StatsReport;
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
    get: async (fingerprint) => {
      if (!isFingerprint(fingerprint)) {
        throw new CacheError('usage', `expected 64 lowercase hex digits, got "${fingerprint}"`);
      }
      return getEntry(session, fingerprint);
    },
    compile: async (request, given) => compile(session, request, { ...DEFAULTS, ...given }),
    fingerprint: async (request, given) => fingerprintOfRequest(session, request, { ...DEFAULTS, ...given }),
    verify: async () => verify(session, { fingerprints: null }),
    stats: () => collectStats(session),
    troubles: () => session.troubles,
    close: async () => session.close(),
  };
}
