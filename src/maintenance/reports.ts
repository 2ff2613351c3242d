import type { Counters } from '../model/counters.js';

export interface VerifyProblem {
  /** Relative to the root. */
  readonly path: string;
  readonly layout: string;
  /** Null where the file belongs to no entry. */
  readonly fingerprint: string | null;
  readonly reason: string;
}

/** `artifacts` = `valid` + `damaged` + `unverifiable`. */
export interface VerifyReport {
  readonly root: string;
  readonly artifacts: number;
  readonly valid: number;
  readonly damaged: number;
  /** Artifacts whose format carries no checksum. */
  readonly unverifiable: number;
  /** Files that a crash of a known writer left behind. */
  readonly litter: number;
  /** Files that no layout recognises. */
  readonly aliens: number;
  /** Artifacts in `quarantine/`. */
  readonly quarantined: number;
  /** Bytes of the artifacts that were read. */
  readonly bytes: number;
  readonly seconds: number;
  /** Damaged artifacts, and items that could not be read (reason `unreadable`). */
  readonly problems: readonly VerifyProblem[];
  /** Items that could not be read: exit 3. */
  readonly unreadable: number;
}

export interface TroubleLine {
  readonly kind: string;
  readonly count: number;
  /** The last message of this kind; null when the journal no longer has it. */
  readonly message: string | null;
  /** Age of the last one; null when the journal no longer has it. */
  readonly lastSeconds: number | null;
}

export interface LayoutFigures {
  readonly layout: string;
  readonly entries: number;
  readonly bytes: number;
}

export interface StatsReport {
  readonly root: string;
  readonly entries: number;
  readonly bytes: number;
  readonly oldestSeconds: number | null;
  readonly newestSeconds: number | null;
  /** Null when nothing was ever counted for this root. */
  readonly counters: Counters | null;
  readonly layouts: readonly LayoutFigures[];
  readonly trouble: readonly TroubleLine[];
}

export interface ListedEntry {
  readonly fingerprint: string;
  /** Relative to the root. */
  readonly path: string;
  /** Of all files of the artifact. */
  readonly bytes: number;
  /** Null without a record. */
  readonly payloadBytes: number | null;
  /** Since the last use. */
  readonly ageSeconds: number;
  /** What the record says; null without one. */
  readonly compiler: string | null;
  readonly outputs: readonly string[] | null;
}

export interface ListReport {
  readonly root: string;
  readonly entries: readonly ListedEntry[];
}

export interface RemovedEntry {
  readonly fingerprint: string;
  readonly result: 'removed' | 'absent' | 'in-use' | 'failed';
  readonly bytes: number;
  readonly error: string | null;
}

export interface RemoveReport {
  readonly root: string;
  readonly entries: readonly RemovedEntry[];
}
