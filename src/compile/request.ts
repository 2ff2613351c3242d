import type { Fingerprint } from '../model/fingerprint.js';
import type { ShownField } from '../model/fields.js';
import type { MissReason, Outcome, Uncacheable } from '../model/lifecycle.js';

/** One compilation in declared use, as the user described it. Paths as given, relative to `cwd` or absolute. */
export interface CompileRequest {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Where the compiler's stdout goes, if it is an output; the last output then. */
  readonly stdoutFile: string | null;
  /** The command after `--`, with placeholders. */
  readonly command: readonly string[];
  /** Files that the compiler reads besides the inputs, patterns expanded. */
  readonly deps: readonly string[];
  /** `NAME` or `NAME=VALUE`. */
  readonly env: readonly string[];
  readonly keys: readonly string[];
  /** Programs that the command starts, as typed. */
  readonly tools: readonly string[];
  /** A shell command that prints what identifies the compiler. */
  readonly compilerVersion: string | null;
  /** The user's word that neither the working directory nor output folders reach the bytes. */
  readonly relocatable: boolean;
  /** Absolute. */
  readonly cwd: string;
  /** The caller's environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Who compiles what we wait for, and since when. */
export interface Waiting {
  readonly pid: number | null;
  readonly sinceMs: number | null;
}

export interface CompileOptions {
  /** The whole process tree is ended after this time; null: no limit. */
  readonly timeoutMs: number | null;
  /** Resident bytes of the whole process tree; null: no limit. */
  readonly memoryBytes: number | null;
  readonly lockTimeoutMs: number;
  /** Compile even though an entry is there, and replace it. */
  readonly refresh: boolean;
  /**
   * When the caller began, on the monotonic scale of the clock: what a hit saved is counted from here. 0 is the start
   * of this process. Without it: when `compile` was called.
   */
  readonly startedAtMs?: number;
  /** Do not look up, do not store. */
  readonly noCache: boolean;
  /** Remember failures, and answer with those that are remembered. */
  readonly failureMemory: boolean;
  /** Run a compiler that has failed before, although its failure is in force. */
  readonly retryFailed: boolean;
  /** Ends the compiler and removes what was begun. */
  readonly signal?: AbortSignal;
  onWaiting?(waiting: Waiting): void;
  /** A hit at the first look: from now on nothing is looked at that decides what it is. */
  readonly onFound?: () => void;
  /**
   * Receives both streams as they come once they exceed 256 KiB together, all that came before included; the result
   * then holds none of it. A promise holds the compiler back until it settles. Without this everything is held in
   * memory.
   */
  readonly onOverflow?: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void | Promise<void>;
}

export interface DeliveredOutput {
  /** As given in the request. */
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
}

export interface CompileResult {
  /** Null when the call was not cached at all. */
  readonly fingerprint: Fingerprint | null;
  /** Null when the call was no lookup: uncacheable, degraded, or without cache. */
  readonly outcome: Outcome | null;
  /** Set for misses only. */
  readonly reason: MissReason | null;
  /** Why the result was not kept, for lookups and for calls that were not cached. */
  readonly notStored: Uncacheable | null;
  readonly outputs: readonly DeliveredOutput[];
  /** The compiler's status; 128 + n for a signal, 124 for the time limit, 137 for the memory limit. */
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly wallSeconds: number;
  /** What the hit spared: the recorded cost minus the time of the lookup, never negative; null for others. */
  readonly savedSeconds: number | null;
  /** Of a remembered failure only: how long ago the compiler has failed. */
  readonly failedSecondsAgo?: number;
  /** Set when the compiler could be started and something of ours failed afterwards, such as an output's folder. */
  readonly error: string | null;
}

/** The verified payload of an entry with what the compiler has printed, or why there is none. */
export type LookupResult =
  | {
      readonly hit: true;
      readonly fingerprint: Fingerprint;
      readonly tier: 'memory' | 'disk';
      /** As it is stored: several outputs are one archive. */
      readonly payload: Buffer;
      readonly stdout: Uint8Array;
      readonly stderr: Uint8Array;
    }
  | { readonly hit: false; readonly fingerprint: Fingerprint | null; readonly reason: MissReason };

export interface FingerprintResult {
  readonly fingerprint: Fingerprint;
  readonly fields: readonly ShownField[];
}

/** Something that went wrong without harm to the build: shown once per kind and process, counted, kept in the journal. */
export interface Trouble {
  readonly kind: string;
  readonly message: string;
}
