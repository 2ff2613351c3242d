import type { Clock } from '../host/clock.js';
import { errnoOf } from '../model/error.js';
import { CandidateTable } from './candidate-table.js';
import type { ArtifactState, PrunableStore } from './prunable-store.js';
import type { RemovalFailure } from './reports.js';

/** Looks between two turns for whatever else waits, such as the user's Ctrl-C. */
const LOOKS_PER_BREATH = 4096;

export interface CollectOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal | null;
  /** False: not a candidate. */
  accept(state: ArtifactState): boolean;
}

export interface Collected {
  readonly candidates: CandidateTable;
  /** What could not be looked at: it stays, and counts nothing. */
  readonly failures: readonly RemovalFailure[];
}

/** The artifacts of a store that may be removed; of an interrupted run those that were seen by then. */
export async function collectCandidates(store: PrunableStore, options: CollectOptions): Promise<Collected> {
  const table = new CandidateTable();
  const failures: RemovalFailure[] = [];
  store.list((fingerprint) => {
    table.add(fingerprint);
  });
  for (let index = 0; index < table.count; index += 1) {
    if (index % LOOKS_PER_BREATH === 0) await options.clock.breathe();
    if (options.signal?.aborted === true) break;
    const fingerprint = table.fingerprint(index);
    try {
      const state = store.look(fingerprint);
      if (state !== null && options.accept(state)) table.settle(index, state);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      failures.push({ path: store.path(fingerprint), error: errno });
    }
  }
  table.dropUnsettled();
  return { candidates: table, failures };
}
