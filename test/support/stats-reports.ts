import type { StatsReport } from '../../src/maintenance/reports.js';

/** Of a root in which nothing lies and nothing was counted. */
export const EMPTY_STATS: StatsReport = {
  root: '/c',
  entries: 0,
  bytes: 0,
  ourBytes: 0,
  oldestSeconds: null,
  newestSeconds: null,
  counters: null,
  layouts: [],
  trouble: [],
  limitBytes: null,
  ageHistogram: [],
  failures: 0,
  litter: { temporaryFiles: 0, orphans: 0, bytes: 0, deadWorkers: null },
  unreadable: [],
  reclaimable: { expired: null, damaged: null },
  details: null,
};
