import type { Experiment } from './experiment.js';
import { ERRORS_OF_CALLS } from './experiments/errors.js';
import { KILLS } from './experiments/kill.js';
import { SHORT_WRITES } from './experiments/short-writes.js';

/** The rows of the matrix. Each file in `experiments/` exports those of one kind. */
export const EXPERIMENTS: readonly Experiment[] = [...KILLS, ...ERRORS_OF_CALLS, ...SHORT_WRITES];
