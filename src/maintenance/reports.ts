import type { Counters } from '../model/counters.js';

export interface VerifyProblem {
  /** Relative to the root. */
  readonly path: string;
  /** Null for a folder that could not be read. */
  readonly layout: string | null;
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
  /** Of the unverifiable artifacts, those whose bytes are what they were when they were sealed. */
  readonly sealed: number;
  /** Why the digests could not be kept; null when they were, or were not to be. */
  readonly sealError: string | null;
  /** What was done about damaged artifacts; empty unless it was asked for. */
  readonly treated: readonly TreatedArtifact[];
}

export interface TreatedArtifact {
  /** Relative to the root. */
  readonly path: string;
  /** `changed`: it is not damaged any more. `in-use`: somebody publishes it at this moment. */
  readonly action: 'quarantined' | 'deleted' | 'changed' | 'in-use' | 'failed';
  /** The folder in the quarantine; null unless it was moved there. */
  readonly id: string | null;
  /** The root of the home whose quarantine that is; null unless it was moved. */
  readonly home: string | null;
  /** An errno name, or why there is no quarantine; null unless it failed. */
  readonly error: string | null;
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
  /** Its kinds of artifacts, the largest first. */
  readonly formats: readonly { readonly format: string; readonly entries: number; readonly bytes: number }[];
}

/** Entries by the time since their last use. */
export interface AgeGroup {
  /** The oldest age of the group; null for all that are older than the groups before. */
  readonly withinSeconds: number | null;
  readonly entries: number;
  readonly bytes: number;
}

/** What lies around and serves nobody. */
export interface LitterFigures {
  /** Temporary files and locks of known writers, past a safe age. */
  readonly temporaryFiles: number;
  /** What belonged to artifacts of other systems that are gone, such as statistics files. */
  readonly orphans: number;
  /** Of the temporary files. */
  readonly bytes: number;
  /** Worker directories whose owner has died; null where nobody looked. */
  readonly deadWorkers: number | null;
}

/** What the records of one compiler tell. */
export interface CompilerFigures {
  /** Null for entries without a readable record. */
  readonly compiler: string | null;
  readonly entries: number;
  readonly bytes: number;
  /** What compiling all of them took. */
  readonly wallSeconds: number;
  /** How often their system says that they were used; null where none says so. */
  readonly uses: number | null;
}

export interface NotableEntry {
  /** Null for an artifact of another system. */
  readonly fingerprint: string | null;
  /** Relative to the root. */
  readonly path: string;
  readonly bytes: number;
  /** What the record says; null without one. */
  readonly compiler: string | null;
  readonly outputs: readonly string[] | null;
  readonly wallSeconds: number | null;
  /** What its hits have saved, as far as it was noted. */
  readonly savedSeconds: number | null;
}

/** What only the records know. */
export interface StatsDetails {
  /** The largest first. */
  readonly compilers: readonly CompilerFigures[];
  readonly largest: readonly NotableEntry[];
  /** By the time that compiling them took, the longest first. */
  readonly costliest: readonly NotableEntry[];
  /** By the time that their hits have saved. */
  readonly mostSaving: readonly NotableEntry[];
}

export interface StatsReport {
  readonly root: string;
  readonly entries: number;
  /** Of the artifacts, each with all its files that count. */
  readonly bytes: number;
  /** Of the entries with our records: what automatic care takes care of. */
  readonly ourBytes: number;
  readonly oldestSeconds: number | null;
  readonly newestSeconds: number | null;
  /** Null when nothing was ever counted for this root. */
  readonly counters: Counters | null;
  readonly layouts: readonly LayoutFigures[];
  readonly trouble: readonly TroubleLine[];
  /** What automatic care keeps the entries below; null without such a limit. */
  readonly limitBytes: number | null;
  /** The youngest group first; all groups, also empty ones. */
  readonly ageHistogram: readonly AgeGroup[];
  /** Records without an entry: remembered failures, and what a crash between record and entry left. */
  readonly failures: number;
  readonly litter: LitterFigures;
  /** What could not be looked at, and is in no figure. */
  readonly unreadable: readonly FileFailure[];
  /** What could go now. */
  readonly reclaimable: {
    /** By the TTL of the settings; null where none is set. */
    readonly expired: { readonly entries: number; readonly bytes: number } | null;
    /** What the last verification of the whole root found damaged; null when there was none. */
    readonly damaged: {
      readonly entries: number;
      readonly bytes: number;
      readonly ageSeconds: number;
    } | null;
  };
  /** Null unless they were asked for. */
  readonly details: StatsDetails | null;
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

/** What could not be synced. */
export interface SyncFailure {
  /** Relative to the root; empty for the root itself. */
  readonly path: string;
  /** An errno name. */
  readonly error: string;
}

/** Each entry that a flush looked at is one of `flushed`, `gone`, `failed`, `pending`. */
export interface FlushReport {
  readonly root: string;
  /** Entries that survive a power cut now. */
  readonly flushed: number;
  /** Entries that were noted and have vanished since. */
  readonly gone: number;
  /** Entries that could not be synced; the next flush tries again. */
  readonly failed: number;
  /** Entries that somebody publishes right now; what was there of them was synced. */
  readonly pending: number;
  readonly failures: readonly SyncFailure[];
  /** Null when the pending list was brought up to date, or there is none. Else the next flush syncs all again. */
  readonly listProblem: ListProblem | null;
}

/** Why the pending list could not be brought up to date. */
export interface ListProblem {
  /** The home may only be read or is somebody else's; nothing can be locked here; a step failed. */
  readonly kind: 'unwritable' | 'unlocked' | 'failed';
  /** An errno name where there is one. */
  readonly error: string | null;
}

/** An artifact, or a piece of garbage, that went; with `dryRun` one that would go. */
export interface Removal {
  /** Relative to the root. */
  readonly path: string;
  readonly reason: string;
  /** Of all files that went with it. */
  readonly bytes: number;
  /** Since the last use; of garbage since its last change. */
  readonly ageSeconds: number;
}

/** Removals by their numbers, from 0 on: a line shows less than one has, and there may be a million. */
export interface NumberedRemovals extends Iterable<Removal> {
  readonly count: number;
  /** The first digits, an even number of them, of the fingerprint of an entry; null for what is none: its path tells. */
  fingerprintStart(at: number, digits: number): string | null;
  path(at: number): string;
  reason(at: number): string;
  bytes(at: number): number;
  ageSeconds(at: number): number;
}

/** What could not be looked at or removed. */
export interface FileFailure {
  /** Relative to the root. */
  readonly path: string;
  /** An errno name. */
  readonly error: string;
}

/** What `prune` and `gc` removed from a root. `removedCount` counts rows of `removed`. */
export interface RemovalReport {
  readonly root: string;
  /** Nothing was removed: `removed` is what a run would have removed. */
  readonly dryRun: boolean;
  /** An array, or rows that are made as they are read: there may be a million. */
  readonly removed: Iterable<Removal>;
  /** The same, counted by reason. */
  readonly removedBy: ReadonlyMap<string, { readonly count: number; readonly bytes: number }>;
  readonly removedCount: number;
  readonly removedBytes: number;
  /** What stays; `gc` counts what it looked at and left. */
  readonly keptCount: number;
  readonly keptBytes: number;
  /** How many of those that stay are held by somebody else: they would have gone. */
  readonly inUse: number;
  readonly failures: readonly FileFailure[];
}

/** What `prune` removed. */
export interface PruneReport extends RemovalReport {
  /** Null where the rule was not set. */
  readonly limits: { readonly maxBytes: number | null; readonly maxEntries: number | null };
  /** What was used during the last day, before anything was removed. */
  readonly lastDay: { readonly bytes: number; readonly entries: number };
  /** What no rule ever removes, such as files whose meaning only another program knows. */
  readonly others: { readonly count: number; readonly bytes: number };
}
