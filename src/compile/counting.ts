import type { Tally } from '../model/counters.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { isHit } from '../model/lifecycle.js';
import type { Product } from './product.js';

/** What a process counts. */
export interface Counting {
  readonly tally: Tally;
  /** Notes that a hit has saved something. */
  addSaving(fingerprint: Fingerprint, savedMs: number): void;
}

/** One request is one lookup, counted at its end; calls that were not cached are none. */
export function countLookup(
  counting: Counting,
  done: { readonly product: Product; readonly waited: boolean; readonly savedSeconds: number | null },
): void {
  const { product, waited, savedSeconds } = done;
  const { tally } = counting;
  if (product.outcome === null) return;
  tally.add('lookups');
  tally.add(isHit(product.outcome) ? 'hits' : 'misses');
  tally.add(`outcome:${product.outcome}`);
  if (product.reason !== null) tally.add(`missReason:${product.reason}`);
  if (waited) tally.add('waits');
  const savedMs = Math.round((savedSeconds ?? 0) * 1000);
  if (savedMs === 0) return;
  tally.add('savedMilliseconds', savedMs);
  if (product.fingerprint !== null) counting.addSaving(product.fingerprint, savedMs);
}
