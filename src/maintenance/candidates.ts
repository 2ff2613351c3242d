import type { Clock } from '../host/clock.js';
import { CandidateTable } from './candidate-table.js';
import type { ArtifactState, PrunableStore } from './prunable-store.js';

/** Looks between two turns for whatever else waits, such as the user's Ctrl-C. */
const LOOKS_PER_BREATH = 4096;

export interface CollectOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal | null;
  /** False: not a candidate. */
  accept(state: ArtifactState): boolean;
}

/** The artifacts of a store that may be removed; of an interrupted run those that were seen by then. */
export async function collectCandidates(
  store: PrunableStore,
  options: CollectOptions,
): Promise<CandidateTable> {
  const table = new CandidateTable();
  store.list((fingerprint) => {
    table.add(fingerprint);
  });
  let settled = 0;
  for (let index = 0; index < table.count; index += 1) {
    if (index % LOOKS_PER_BREATH === 0) await options.clock.breathe();
    if (options.signal?.aborted === true) break;
    const state = store.look(table.fingerprint(index));
    if (state === null || !options.accept(state)) continue;
    table.settle(index, settled, state);
    settled += 1;
  }
  table.truncate(settled);
  return table;
}
