import type { Group } from './row.js';
import { batchHits } from './rows/batch-hits.js';
import { batchMiss, batchMissTiny } from './rows/batch-miss.js';
import { flush } from './rows/flush.js';
import { herd } from './rows/herd.js';
import { memory } from './rows/memory.js';
import { hitNode } from './rows/one-hit.js';
import { hitStandalone } from './rows/standalone.js';
import { store } from './rows/store.js';
import { verifyRecords } from './rows/verify-records.js';
import { verifyLarge, verifySmall } from './rows/verify.js';

/** In the order of the table. */
export const GROUPS: readonly Group[] = [
  verifySmall,
  verifyLarge,
  verifyRecords,
  batchHits,
  hitNode,
  hitStandalone,
  batchMiss,
  batchMissTiny,
  store,
  herd,
  flush,
  memory,
];
