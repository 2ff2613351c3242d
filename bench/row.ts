import type { PeerName } from './peers.js';
import type { Site } from './site.js';

/** One of the programs that do the same work. */
export interface Side {
  /** Short, for the table. */
  readonly name: string;
  /** The programs that it needs. */
  readonly needs: readonly PeerName[];
  /** Does the work once. @returns the seconds per unit of the row, without what it had to make ready. */
  run(): Promise<number>;
}

export interface Rival extends Side {
  /** Ours takes at most so many times its time; null: for information. */
  readonly bound: number | null;
}

/** A minimal program that does the same work without our code: below its time nobody gets who uses the same runtime. */
export interface Floor extends Side {
  /** Why it cannot be measured here; null where it can. */
  readonly absent: string | null;
}

/** Sides that are measured in turns. */
export interface Row {
  readonly id: RowId;
  readonly title: string;
  readonly ours: Side & {
    /** The peak of its memory in bytes, where it is not to be had by `NODE_OPTIONS`. */
    peakBytes?(): Promise<number | null>;
  };
  readonly rivals: readonly Rival[];
  /** Compared with the last of the rivals that have a bound, or the first one where none has. */
  readonly floors?: readonly Floor[];
}

/** What is not timed. */
export interface Figure {
  readonly id: RowId;
  readonly title: string;
  /** Whose figure it is; null: ours. */
  readonly of: string | null;
  readonly unit: 'count' | 'bytes';
  readonly value: number;
  /** Null: for information. */
  readonly bound: { readonly kind: 'exactly' | 'at-most'; readonly value: number } | null;
}

export const ROW_IDS = [
  'verify-small',
  'verify-large',
  'verify-records',
  'batch-hits',
  'batch-hits-long',
  'hit-node',
  'hit-long',
  'hit-get',
  'hit-standalone',
  'batch-miss',
  'batch-miss-tiny',
  'stats',
  'prune',
  'prune-order',
  'herd',
  'flush',
  'memory',
] as const;

export type RowId = (typeof ROW_IDS)[number];

/** Rows over the same data, which are made before the first and removed after the last of them. */
export interface Group {
  readonly rows: readonly RowId[];
  /** What all rows need; a row's side that needs more is left out alone. */
  readonly needs: readonly PeerName[];
  /** Free bytes that it takes. */
  spaceBytes(scale: number): number;
  /** Makes the data and runs the wanted rows. */
  measure(site: Site): Promise<void>;
}
