import type { Counters } from '../../model/counters.js';

/** What stands for the counters of a root for which nothing was counted. */
export const NO_COUNTERS: Counters = { sinceMs: Number.NaN, values: new Map() };

/** ISO 8601; null when nothing was counted, or by a clock beyond all dates. */
export function countedSince({ sinceMs }: Counters): string | null {
  const date = new Date(sinceMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
