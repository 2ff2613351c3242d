import type { Ratio, Summary } from './statistics.js';
import type { Machine } from './machine.js';
import type { Figure, RowId } from './row.js';

/** Ours against one rival. */
export interface Comparison {
  readonly rival: string;
  /** Per unit of the row. */
  readonly seconds: Summary;
  readonly ratio: Ratio;
  /** Null: for information. */
  readonly bound: number | null;
  readonly met: boolean | null;
}

/** What a floor takes. */
export interface FloorResult {
  readonly floor: string;
  /** Per unit of the row. */
  readonly seconds: Summary;
  /** Against one rival, that with the bound where there is one; null where none is installed. */
  readonly against: Omit<Comparison, 'bound' | 'met'> | null;
}

export interface TimedResult {
  readonly kind: 'timed';
  readonly id: RowId;
  readonly title: string;
  readonly seconds: Summary;
  /** The largest of a process of ours, in bytes; null where it could not be had. */
  readonly peakBytes: number | null;
  readonly comparisons: readonly Comparison[];
  readonly floors: readonly FloorResult[];
}

export interface FigureResult extends Figure {
  readonly kind: 'figure';
  readonly met: boolean | null;
}

/** What was wanted and is not there. */
export interface Omission {
  readonly id: RowId;
  /** The rival or the floor that is missing; null: the whole row. */
  readonly rival: string | null;
  readonly reason: string;
  /** False: it was known before that it cannot be measured here. */
  readonly failed: boolean;
}

export type RowResult = TimedResult | FigureResult;

/** What something takes in a home with so many entries. */
export interface GrowthPoint {
  readonly name: string;
  readonly entries: number;
  readonly seconds: Summary;
  readonly peakBytes: number | null;
}

export interface BenchResult {
  readonly schema: 'vyre-cache.bench/1';
  /** ISO 8601, the day. */
  readonly date: string;
  readonly scale: number;
  readonly rounds: number;
  readonly machine: Machine;
  readonly rows: readonly RowResult[];
  /** Empty unless it was asked for. */
  readonly growth: readonly GrowthPoint[];
  readonly omitted: readonly Omission[];
}

/** Takes what the rows find. */
export interface Reporter {
  /** What goes on now; for a person who waits. */
  step(text: string): void;
  add(result: RowResult): void;
  omit(omission: Omission): void;
}
