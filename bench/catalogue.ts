import type { Group } from './row.js';
import { batchHits } from './rows/batch-hits.js';
import { batchMiss, batchMissTiny } from './rows/batch-miss.js';
import { hitNode } from './rows/one-hit.js';
import { store } from './rows/store.js';
import { verifyLarge, verifySmall } from './rows/verify.js';

/** In the order of the table. */
export const GROUPS: readonly Group[] = [
  verifySmall,
  verifyLarge,
  batchHits,
  hitNode,
  batchMiss,
  batchMissTiny,
  store,
];
